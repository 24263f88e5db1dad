import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attachedWorld, plainClient } from '../../support/attached.js'
import { brokerWorld } from '../../support/broker.js'
import { startMosquitto } from '../../support/mosquitto.js'
import { until } from '../../support/until.js'

for (const far of ['mosquitto', 'Damselfly'] as const)
  test(`a message on a shared subscription at ${far} goes to one of several that are attached, and to those that are left`, async (t) => {
    const { port } = far === 'mosquitto' ? await startMosquitto(t) : await brokerWorld(t)
    const worlds = ['one', 'two', 'three'].map((name) => attachedWorld(t, port, { name }))
    const heard = worlds.map(
      (world) => world.listen(['$share/pis/work/#', `to/${worlds.indexOf(world)}`]).texts,
    )
    for (const { door } of worlds) await door.open()
    for (const world of worlds) await world.logged('connected to the broker')
    const client = await plainClient(t, port)
    for (let index = 0; index < 30; index++) await client.publishAsync('work/x', `${index}`, { qos: 1 })
    await client.publishAsync('to/1', 'you', { qos: 1 })
    await until('each is there once', () => heard.flat().length === 31)
    const works = heard.map((texts) => texts.filter((text) => text.startsWith('work/')))
    assert.equal(new Set(works.flat()).size, 30)
    for (const texts of works) assert.ok(texts.length > 0, works.map(({ length }) => length).join())
    assert.deepEqual(heard[1]?.at(-1), 'to/1 you')

    await worlds[0]?.door.close()
    for (const texts of heard) texts.length = 0
    for (let index = 0; index < 10; index++) await client.publishAsync('work/x', `${index}`, { qos: 1 })
    await until('the others get them', () => heard.flat().length === 10)
    assert.equal(heard[0]?.length, 0)
  })
