import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BridgedBroker, bridgedBroker, bridgeTo, heardAll, hearer, shared } from '../support/bridge.js'
import { freePort } from '../support/daemon.js'
import { startMosquitto } from '../support/mosquitto.js'
import { until } from '../support/until.js'

/** Publishes on both sides, and counts how often each message comes on each. */
async function countBothWays(t: TestContext, one: number, other: number): Promise<readonly string[]> {
  const a = await hearer(t, one, 'x/#')
  const b = await hearer(t, other, 'x/#')
  for (let index = 0; index < 20; index++) {
    await a.client.publishAsync('x/a', `a${index}`, { qos: 1, retain: index % 5 === 0 })
    await b.client.publishAsync('x/b', `b${index}`, { qos: 2 })
  }
  await heardAll(a.heard, 40, 400)
  await heardAll(b.heard, 40)
  assert.equal(new Set(a.heard).size, 40)
  assert.equal(new Set(b.heard).size, 40)
  return [`${a.heard.length} here`, `${b.heard.length} there`]
}

test('two Damselflies that both bridge to each other, both ways, hear each message once', async (t) => {
  const ports = [await freePort(), await freePort()] as const
  const brokers: BridgedBroker[] = []
  for (const [port, other] of [ports, [...ports].reverse() as [number, number]] as const)
    brokers.push(
      await bridgedBroker(
        t,
        [bridgeTo(other, { clientId: `of-${port}`, topics: [shared('#', { qos: 2 })] })],
        { port },
      ),
    )
  for (const broker of brokers) await broker.linked()
  assert.deepEqual(await countBothWays(t, ...ports), ['40 here', '40 there'])
})

test('so they do with one bridge between them, of either version', async (t) => {
  for (const version of [4, 5] as const) {
    const far = await bridgedBroker(t, [])
    const here = await bridgedBroker(t, [bridgeTo(far.port, { version, topics: [shared('#', { qos: 2 })] })])
    await here.linked()
    assert.deepEqual(await countBothWays(t, here.port, far.port), ['40 here', '40 there'])
  }
})

test('a bridge of mosquitto to us makes no loop, and gets what is retained as retained', async (t) => {
  const here = await bridgedBroker(t, [])
  const config = `allow_anonymous true\nconnection far\naddress 127.0.0.1:${here.port}\nremote_clientid far\ntopic # both 2`
  const mosquitto = await startMosquitto(t, { config })
  const state = await hearer(t, here.port, '$SYS/broker/connection/#')
  await heardAll(state.heard, 1)
  assert.deepEqual(state.heard, ['$SYS/broker/connection/far/state 1 *'])
  assert.deepEqual(await countBothWays(t, here.port, mosquitto.port), ['40 here', '40 there'])
  const late = await hearer(t, mosquitto.port, 'x/a')
  await heardAll(late.heard, 1)
  assert.deepEqual(late.heard, ['x/a a15 *'])
  await mosquitto.stop()
  await heardAll(state.heard, 2)
  assert.deepEqual(state.heard.slice(1), ['$SYS/broker/connection/far/state 0 *'])
})

for (const line of ['try_private false', 'bridge_protocol_version mqttv50'])
  test(`a bridge of mosquitto that does not say that it is one comes in, and its state is told nobody: ${line}`, async (t) => {
    const here = await bridgedBroker(t, [])
    const config = `allow_anonymous true\nconnection far\naddress 127.0.0.1:${here.port}\nremote_clientid far\n${line}\ntopic x/# both 1`
    const state = await hearer(t, here.port, '$SYS/broker/connection/#')
    const mosquitto = await startMosquitto(t, { config })
    await here.logged('client connected', 2)
    const near = await hearer(t, here.port, 'x/#')
    const far = await hearer(t, mosquitto.port, 'x/#')
    await far.client.publishAsync('x/a', 'there', { qos: 1 })
    await near.client.publishAsync('x/a', 'here', { qos: 1 })
    await until('both have both', () => near.heard.length >= 2 && far.heard.length >= 2)
    await mosquitto.stop('SIGKILL')
    await until('its will is refused', () => here.counters.get('publishes.refused') === 2)
    assert.deepEqual(state.heard, [])
  })

for (const version of [4, 5] as const)
  test(`mosquitto and we bridge to each other: the loop is found and cut, MQTT ${version}`, async (t) => {
    const port = await freePort()
    const config = `allow_anonymous true\nconnection far\naddress 127.0.0.1:${port}\ntopic x/# both 2\nrestart_timeout 1`
    const mosquitto = await startMosquitto(t, { config })
    const here = await bridgedBroker(
      t,
      [bridgeTo(mosquitto.port, { version, topics: [shared('x/#', { qos: 2 })] })],
      { port },
    )
    await here.linked()
    const near = await hearer(t, port, 'x/#')
    const far = await hearer(t, mosquitto.port, 'x/#')
    const state = await hearer(t, port, '$SYS/broker/connection/+/state')
    await heardAll(state.heard, 1)
    await near.client.publishAsync('x/first', 'once', { qos: 1 })
    await here.logged('two brokers bridge to each other: loop cut')
    await sleep(300)
    // what it took to be sure
    assert.ok(near.heard.length <= 8, near.heard.join())
    assert.ok(far.heard.length <= 8, far.heard.join())
    near.heard.length = 0
    far.heard.length = 0
    const counts = await countBothWays(t, port, mosquitto.port)
    // MQTT 3.1.1 does not tell whether the other side looks for loops as well: then both ways stay open
    for (const count of counts)
      assert.ok(Number.parseInt(count, 10) <= (version === 5 ? 40 : 80), counts.join())
  })

test('a bridge to the very same broker is refused', async (t) => {
  const port = await freePort()
  const here = await bridgedBroker(t, [bridgeTo(port)], { port })
  await here.logged('bridge refused: trying again now and then')
  assert.equal(here.state()?.reason, 'it is this broker itself')
})
