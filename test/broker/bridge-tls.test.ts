import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Bridge, BridgeTls } from '#src/core/bridge.js'
import { Secret } from '#src/core/secret.js'
import { bridgedBroker, bridgeTo, heardAll, hearer } from '../support/bridge.js'
import {
  type BridgeCertificates,
  type BridgeIdentity,
  bridgeCertificates,
} from '../support/bridge-certificates.js'
import { freePort } from '../support/daemon.js'
import { startMosquitto } from '../support/mosquitto.js'
import { missing } from '../support/tools.js'

const skip = missing('mosquitto', 'openssl')

/** A mosquitto that lets in who has a certificate of this authority, beside a plain port. */
async function secured(t: TestContext, { authority }: BridgeCertificates, server: BridgeIdentity) {
  const port = await freePort()
  const config = `allow_anonymous true
listener ${port} 127.0.0.1
cafile ca.crt
certfile own.crt
keyfile own.key
require_certificate true
use_identity_as_username true`
  const files = { 'ca.crt': authority, 'own.crt': server.certificate, 'own.key': server.key }
  return { mosquitto: await startMosquitto(t, { config, files }), port }
}

function secureTo(port: number, tls: Partial<BridgeTls> | undefined, more: Partial<Bridge> = {}): Bridge {
  const addresses = [{ url: `mqtts://127.0.0.1:${port}`, host: '127.0.0.1', port, isSecure: true }]
  const usual = { authorities: undefined, identity: undefined, protocol: undefined, isHostChecked: true }
  return bridgeTo(port, { addresses, tls: tls && { ...usual, ...tls }, ...more })
}

const identityOf = ({ certificate, key }: BridgeIdentity) => ({ certificate, key: new Secret(key) })

test('a bridge goes over TLS, with a certificate of ours', { skip }, async (t) => {
  const all = await bridgeCertificates(t)
  const { mosquitto, port } = await secured(t, all, all.server)
  const tls = { authorities: all.authority, identity: identityOf(all.client) }
  const here = await bridgedBroker(t, [secureTo(port, tls)])
  await here.linked()
  assert.match(mosquitto.output, /as house-test .*u'client'/)
  const near = await hearer(t, here.port)
  const far = await hearer(t, mosquitto.port)
  await near.client.publishAsync('a', 'out', { qos: 1 })
  await far.client.publishAsync('a', 'in', { qos: 1 })
  await heardAll(near.heard, 2)
  await heardAll(far.heard, 2)
})

const refusals: readonly [
  title: string,
  reason: string | RegExp,
  tls: (all: BridgeCertificates) => Partial<BridgeTls> | undefined,
][] = [
  [
    'nobody here trusts',
    'its certificate is signed by nobody whom this machine trusts',
    ({ client }) => ({ identity: identityOf(client) }),
  ],
  [
    'another authority has signed than the one that is trusted',
    'its certificate is signed by nobody whom this machine trusts',
    ({ client, stranger }) => ({ authorities: stranger.certificate, identity: identityOf(client) }),
  ],
  [
    'wants a certificate of ours, and there is none',
    /not accept our certificate, or wants? one$/,
    ({ authority }) => ({ authorities: authority }),
  ],
  [
    'does not know who has signed ours',
    /not accept our certificate, or wants? one$/,
    ({ authority, stranger }) => ({ authorities: authority, identity: identityOf(stranger) }),
  ],
  [
    'has a key that is not that of the certificate',
    /key values mismatch/,
    ({ authority, client, stranger }) => ({
      authorities: authority,
      identity: { certificate: client.certificate, key: new Secret(stranger.key) },
    }),
  ],
]

test('what is wrong with a certificate is told in words', { skip }, async (t) => {
  const all = await bridgeCertificates(t)
  const { port } = await secured(t, all, all.server)
  for (const [title, reason, tls] of refusals)
    await t.test(`a broker that ${title}`, async (inner) => {
      const here = await bridgedBroker(inner, [secureTo(port, tls(all))])
      while (here.state()?.reason === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
      const told = here.state()?.reason ?? ''
      if (typeof reason === 'string') assert.equal(told, reason)
      else assert.match(told, reason)
      assert.doesNotMatch(JSON.stringify(here.log.lines), /PRIVATE KEY/)
    })
})

test('a certificate for another host is refused, unless the bridge says that it may be for any', {
  skip,
}, async (t) => {
  const all = await bridgeCertificates(t)
  const { port } = await secured(t, all, all.elsewhere)
  const tls = { authorities: all.authority, identity: identityOf(all.client) }
  const here = await bridgedBroker(t, [secureTo(port, tls)])
  await here.logged('bridge refused: trying again now and then')
  assert.equal(here.state()?.reason, 'its certificate is for another host')
  await here.broker.setBridges([secureTo(port, { ...tls, isHostChecked: false })])
  await here.linked()
})

test('a port that does not speak TLS, or MQTT, is told', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const here = await bridgedBroker(t, [
    secureTo(port, undefined),
    bridgeTo(port, { name: 'plain', clientId: 'plain' }),
  ])
  await here.logged('bridge refused: trying again now and then', 2)
  assert.equal(here.state()?.reason, 'it does not speak TLS on this port')
  assert.equal(here.state('plain')?.reason, 'what answers does not speak MQTT; check the port')
})
