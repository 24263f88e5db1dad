import { errnoOf } from '../core/errors.ts'
import {
  closedEarly,
  failureOf,
  type LinkFailure,
  notMqtt as notMqttAnswer,
} from './attached/link-failure.ts'
import { reasonCode, reasonName } from './wire/reason-codes.ts'

const wrongVersion: LinkFailure = {
  reason: 'it does not speak this version of MQTT',
  remedy: 'write version: 3.1.1 into the bridge',
  isRefusal: true,
}

const wrongPassword: LinkFailure = {
  reason: 'wrong user name or password',
  remedy: 'username and password_file of the bridge must be what that broker knows',
  isRefusal: true,
}

const notAuthorized: LinkFailure = {
  reason: 'not authorized',
  remedy:
    'that broker wants a user name, or a certificate; or the user may not publish on the notification topic: notifications: local',
  isRefusal: true,
}

const wrongId: LinkFailure = {
  reason: 'it does not accept our client id',
  remedy: 'write another client_id into the bridge',
  isRefusal: true,
}

/** MQTT 3.1.1, table 3.1. */
const returnCodes: ReadonlyMap<number, LinkFailure> = new Map([
  [1, wrongVersion],
  [2, wrongId],
  [3, { reason: 'it is not available yet' }],
  [4, wrongPassword],
  [5, notAuthorized],
])

/** MQTT 5, table 3-1. */
const reasonCodes: ReadonlyMap<number, LinkFailure> = new Map([
  [reasonCode.unsupportedProtocolVersion, wrongVersion],
  [reasonCode.clientIdentifierNotValid, wrongId],
  [reasonCode.badUserNameOrPassword, wrongPassword],
  [reasonCode.notAuthorized, notAuthorized],
  [reasonCode.serverUnavailable, { reason: 'it is not available yet' }],
  [reasonCode.serverBusy, { reason: 'it is busy' }],
  [
    reasonCode.retainNotSupported,
    {
      reason: 'it keeps no retained messages, and the notification is one',
      remedy: 'write notifications: local into the bridge',
      isRefusal: true,
    },
  ],
])

/** Over TLS it may have said why in an alert, which is lost when the connection is reset behind it. */
export function closedEarlyBy({ isSecure }: { readonly isSecure: boolean }): LinkFailure {
  if (!isSecure) return closedEarly
  const reason = `${closedEarly.reason}: it may not accept our certificate, or want one`
  return { ...closedEarly, reason }
}

/**
 * Why CONNACK said no. @param code of MQTT 3.1.1 below 6; some brokers answer MQTT 5 with those, too
 */
export function refusalOf(code: number, words: string | undefined): LinkFailure {
  const known = code < 6 ? returnCodes.get(code) : reasonCodes.get(code)
  const failure: LinkFailure = known ?? { reason: `it refuses: ${reasonName(code)}`, isRefusal: true }
  return words === undefined ? failure : { ...failure, reason: `${failure.reason} (${words})` }
}

const trustIt = 'write the certificate of its authority into the bridge: tls: { ca: FILE }'

/** What the owner of a bridge can do, by the error codes of the system, of Node's TLS and of OpenSSL. */
const remedies: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'check the host in the address of the bridge'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', trustIt],
  ['SELF_SIGNED_CERT_IN_CHAIN', trustIt],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', trustIt],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', trustIt],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'write the host into the address as its certificate names it'],
  [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'write mqtt:// instead of mqtts:// into the address, or its TLS port, often 8883',
  ],
])

/** What a socket was told. */
export function socketFailure(error: unknown): LinkFailure {
  const code = errnoOf(error) ?? ''
  const known = certificateRefused(code) ?? failureOf(error)
  const remedy = remedies.get(code)
  return remedy === undefined ? known : { ...known, remedy }
}

/** An alert that says that it does not like our certificate, or that it wants one; RFC 8446, section 6.2. */
function certificateRefused(code: string): LinkFailure | undefined {
  if (!/^ERR_SSL_(?:TLSV1|SSLV3|TLSV13)_ALERT_(?:.*CERT|UNKNOWN_CA|.*ACCESS_DENIED)/.test(code))
    return undefined
  return {
    reason: 'it does not accept our certificate, or wants one',
    remedy: 'tls: { certificate: FILE, key: FILE } of the bridge must be what that broker accepts',
    isRefusal: true,
  }
}

/** Its first bytes are no CONNACK [MQTT-3.2.0-1]. */
export const notMqtt: LinkFailure = {
  ...notMqttAnswer,
  remedy: 'the address must have the MQTT port of that broker: mostly 1883, or 8883 with mqtts://',
}

export const itself: LinkFailure = {
  reason: 'it is this broker itself',
  remedy: 'check the address of the bridge',
  isRefusal: true,
}

export const tooLittle = (qosMax: number): LinkFailure => ({
  reason: `it takes QoS ${qosMax} at most, and the topics of the bridge have more`,
  remedy: `write qos: ${qosMax} at the topics of the bridge`,
  isRefusal: true,
})

/** It answers CONNECT, and then nothing. */
export const mute: LinkFailure = { reason: 'it does not answer subscriptions' }

export const stopped: LinkFailure = { reason: 'stopped' }

/** Nothing went over it for as long as `idle_timeout` says. */
export const idle: LinkFailure = { reason: 'nothing to send' }

/** The first address is there again. */
export const goingBack: LinkFailure = { reason: 'the first address answers again' }
