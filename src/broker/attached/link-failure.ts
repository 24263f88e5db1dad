import { errnoOf, reasonOf } from '../../core/errors.ts'
import type { LimitName } from '../../core/limits.ts'

/** Why a connection could not be had, or ended. */
export interface LinkFailure {
  /** In words. */
  readonly reason: string
  /** What the owner can do about it, where there is something. */
  readonly remedy?: string
  /** It will not get better by itself soon: somebody has to change something. */
  readonly isRefusal?: boolean
  /** The broker ended a connection that stood. */
  readonly isByPeer?: boolean
  /** The bound that was reached, if one was. */
  readonly limit?: LimitName
}

/** What stands in CONNACK, MQTT 3.1.1 table 3.1. */
const refusals: ReadonlyMap<number, LinkFailure> = new Map([
  [1, { reason: 'it does not speak MQTT 3.1.1', isRefusal: true }],
  [
    2,
    {
      reason: 'it does not accept our client id',
      remedy: 'another Damselfly there may have the same name: set another NAME in .env',
      isRefusal: true,
    },
  ],
  [3, { reason: 'it is not available yet' }],
  [
    4,
    {
      reason: 'wrong user name or password',
      remedy: 'MQTT_USERNAME and MQTT_PASSWORD in .env must be those that the broker knows',
      isRefusal: true,
    },
  ],
  [
    5,
    {
      reason: 'not authorized',
      remedy: 'put the MQTT_USERNAME and MQTT_PASSWORD that the broker knows into .env',
      isRefusal: true,
    },
  ],
])

const untrusted: LinkFailure = {
  reason: 'its certificate is signed by nobody whom this machine trusts',
  remedy:
    'copy the certificate of its authority to /usr/local/share/ca-certificates/NAME.crt and run sudo update-ca-certificates',
  isRefusal: true,
}

/** By the error codes of the system, of Node's TLS and of OpenSSL. */
const failures: ReadonlyMap<string, LinkFailure> = new Map<string, LinkFailure>([
  [
    'ECONNREFUSED',
    {
      reason: 'nothing listens there',
      remedy:
        'is it running, and does it listen to other machines? mosquitto 2 does not unless it is told to',
    },
  ],
  ['ENOTFOUND', { reason: 'no such host', remedy: 'check the host in BROKER_URL, or write its address' }],
  ['EAI_AGAIN', { reason: 'its name cannot be looked up now' }],
  ['EHOSTUNREACH', { reason: 'no way to that host' }],
  ['ENETUNREACH', { reason: 'no way to that network' }],
  ['ENETDOWN', { reason: 'the network is down' }],
  ['ETIMEDOUT', { reason: 'no answer' }],
  ['ECONNRESET', { reason: 'closed by the broker', isByPeer: true }],
  ['EPIPE', { reason: 'closed by the broker', isByPeer: true }],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', untrusted],
  ['SELF_SIGNED_CERT_IN_CHAIN', untrusted],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', untrusted],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', untrusted],
  [
    'CERT_HAS_EXPIRED',
    { reason: 'its certificate has expired', remedy: 'renew it, or check the clock here', isRefusal: true },
  ],
  [
    'CERT_NOT_YET_VALID',
    { reason: 'its certificate is not valid yet', remedy: 'check the clock of this machine' },
  ],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    {
      reason: 'its certificate is for another host',
      remedy: 'write the host in BROKER_URL as its certificate names it',
      isRefusal: true,
    },
  ],
  [
    'ERR_SSL_WRONG_VERSION_NUMBER',
    {
      reason: 'it does not speak TLS on this port',
      remedy: 'write mqtt:// instead of mqtts:// in BROKER_URL, or its TLS port, often 8883',
      isRefusal: true,
    },
  ],
])

/** What a client that looks for a connection was told; `code` is a number when it comes from CONNACK. */
export function failureOf(error: unknown): LinkFailure {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  const known = typeof code === 'number' ? refusals.get(code) : failures.get(errnoOf(error) ?? '')
  return known ?? { reason: reasonOf(error) }
}

/** The broker closed the connection without a word. */
export const closedByPeer: LinkFailure = { reason: 'closed by the broker', isByPeer: true }

/** It answered the connection with its end, before CONNACK. */
export const closedEarly: LinkFailure = { reason: 'it closed the connection without an answer' }

/** Its first bytes are no CONNACK [MQTT-3.2.0-1]. */
export const notMqtt: LinkFailure = {
  reason: 'what answers does not speak MQTT; check the port',
  remedy:
    'BROKER_URL must name the MQTT port of the broker: mostly 1883, or 8883 with mqtts:// instead of mqtt://',
  isRefusal: true,
}

/** It takes messages, and does not acknowledge the oldest of them. */
export const unacknowledged: LinkFailure = {
  reason: 'it does not acknowledge messages',
  limit: 'linkAckMsMax',
}

/** Nothing came back for longer than the keep-alive allows. */
export const silent: LinkFailure = { reason: 'no answer' }
