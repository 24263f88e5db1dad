import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type Attacker,
  as,
  attacker,
  granted,
  ownAddress,
  published,
  refusedWith,
  theLine,
  usersText,
} from '../support/attacks.js'
import { startDaemon, type TestDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'

const odd = ['+', 'a#', 'ann/x']

const acl = `user watch
topic readwrite #
topic read $SYS/#
user ann
topic readwrite secret/#
user eve
topic readwrite open/#
user temp
topic write tell/#
user $rules
topic read open/#
topic write out/#
pattern readwrite home/%u/#
pattern readwrite dev/%c/#
`

const yaml = `rules:
  - name: carrier
    on: open/carry
    do: [{ publish: secret/carried, text: x }]
  - name: honest
    on: open/carry
    do: [{ publish: out/carried, text: x }]
`

/** A daemon with a list, one who may do everything and hears all, and one who may do what an attacker wants to. */
class Scene {
  readonly daemon: TestDaemon
  readonly watch: Attacker
  readonly ann: Attacker
  readonly #context: TestContext
  #marks = 0

  private constructor(context: TestContext, daemon: TestDaemon, watch: Attacker, ann: Attacker) {
    this.#context = context
    this.daemon = daemon
    this.watch = watch
    this.ann = ann
  }

  static async set(context: TestContext): Promise<Scene> {
    const names = ['watch', 'ann', 'eve', 'temp', ...odd]
    const files = { 'config/users': usersText(names), 'config/acl': acl }
    const daemon = await startDaemon(context, { env: 'ALLOW_ANONYMOUS=false', files, yaml })
    const watch = await attacker(context, daemon.port, { ...as('watch'), clientId: 'watch' })
    await watch.mqtt.subscribeAsync(['#', '$SYS/broker/version'], { qos: 2 })
    const ann = await attacker(context, daemon.port, { ...as('ann'), clientId: 'ann' })
    return new Scene(context, daemon, watch, ann)
  }

  /** `eve`, who may do what she wants below `open/` and nowhere else. */
  eve(options: Parameters<typeof attacker>[2] = {}): Promise<Attacker> {
    return attacker(this.#context, this.daemon.port, { ...as('eve'), ...options })
  }

  /** Whose right it is goes on: it comes to the observer, and nothing that came before it was the attacker's. */
  async rightfulHeard(): Promise<void> {
    const mark = `secret/door mark${++this.#marks}`
    await this.ann.mqtt.publishAsync('secret/door', `mark${this.#marks}`, { qos: 1 })
    await until('what ann may say is heard', () => this.watch.heard.includes(mark))
    const stolen = this.watch.heard.filter((line) => line.endsWith(' evil'))
    assert.deepEqual(stolen, [])
  }
}

test('who may not: an access control list against its attackers', async (context) => {
  const scene = await Scene.set(context)
  const { daemon, watch } = scene
  const byList = /^config\/acl does not allow it$/

  for (const level of [4, 5] as const)
    for (const qos of [0, 1, 2] as const)
      await context.test(
        `a publish of QoS ${qos} outside the list is ${level === 5 ? (qos === 0 ? 'dropped' : 'answered 0x87') : 'acknowledged and dropped'} (MQTT ${level === 5 ? '5' : '3.1.1'})`,
        async () => {
          const eve = await scene.eve({ protocolVersion: level })
          const code = await published(eve, 'secret/door', 'evil', { qos })
          assert.equal(code, level === 5 && qos > 0 ? 0x87 : 0)
          assert.equal(await published(eve, 'open/door', `${level} ${qos}`, { qos }), 0)
          await until('what she may say', () => watch.heard.includes(`open/door ${level} ${qos}`))
          await scene.rightfulHeard()
          const line = await theLine(daemon, 'publish refused', eve.address, byList)
          assert.deepEqual([line['client'], line['topic']], [`c${eve.address}`, 'secret/door'])
        },
      )

  await context.test('a topic alias opens no topic outside the list', async () => {
    const eve = await scene.eve({ protocolVersion: 5 })
    const code = (topic: string, payload: string, topicAlias: number) =>
      published(eve, topic, payload, { qos: 1, properties: { topicAlias } })
    assert.equal(await code('secret/door', 'evil', 1), 0x87)
    assert.equal(await code('', 'evil', 1), 0x87)
    assert.equal(await code('open/door', 'alias', 2), 0)
    assert.equal(await code('', 'alias again', 2), 0)
    await until('what she may say', () => watch.heard.includes('open/door alias again'))
    await scene.rightfulHeard()
    await theLine(daemon, 'publish refused', eve.address, byList)
  })

  for (const [level, refusal] of [
    [4, 0x80],
    [5, 0x87],
  ] as const)
    for (const filter of ['secret/door', 'secret/+', 'secret/#', '$share/group/secret/#'])
      await context.test(
        `a subscription to ${filter} outside the list is answered 0x${refusal.toString(16)} (level ${level})`,
        async () => {
          const eve = await scene.eve({ protocolVersion: level })
          assert.deepEqual(await granted(eve, filter), [refusal])
          assert.deepEqual(await granted(eve, filter.replace('secret/', 'open/')), [1])
          await scene.rightfulHeard()
          await watch.mqtt.publishAsync('open/door', 'for all', { qos: 1 })
          await until('what she may hear', () => eve.heard.length > 0)
          assert.deepEqual(eve.heard, ['open/door for all'])
          const line = await theLine(daemon, 'subscription refused', eve.address, byList)
          assert.equal(line['filter'], filter.replace('$share/group/', ''))
        },
      )

  for (const filter of ['#', '+/door', '$share/thieves/#'])
    await context.test(`a wildcard, ${filter}, brings nothing that its client may not read`, async () => {
      const eve = await scene.eve()
      assert.deepEqual(await granted(eve, filter), [1])
      await scene.rightfulHeard()
      await watch.mqtt.publishAsync('open/door', 'after it', { qos: 1 })
      await until('what she may hear', () => eve.heard.includes('open/door after it'))
      assert.deepEqual(
        eve.heard.filter((line) => line.startsWith('secret/')),
        [],
      )
    })

  for (const level of [4, 5] as const)
    await context.test(`a will outside the list is not published (level ${level})`, async () => {
      const willOf = (topic: string) => ({
        ...as('eve'),
        protocolVersion: level,
        will: { topic, payload: Buffer.from('evil'), qos: 0 as const, retain: true },
      })
      const address = ownAddress()
      const wanted = { ...willOf('secret/door'), address }
      if (level === 5) {
        assert.equal(await refusedWith(context, daemon.port, wanted), 0x87)
        await theLine(daemon, 'client refused', address, /^its will: config\/acl/)
      } else {
        const dying = await scene.eve(wanted)
        await theLine(daemon, 'client connected without its will', address, /^its will: config\/acl/)
        dying.mqtt.stream.destroy()
        await theLine(daemon, 'publish refused', address, byList)
      }
      const eve = await scene.eve(willOf('open/will'))
      eve.mqtt.stream.destroy()
      await until('a will that is allowed', () => watch.heard.some((line) => line.startsWith('open/will')))
      watch.heard.splice(0)
      await scene.rightfulHeard()
    })

  await context.test('retained messages outside the list are neither set nor cleared nor told', async () => {
    await scene.ann.mqtt.publishAsync('secret/kept', 'rightful', { qos: 1, retain: true })
    await watch.mqtt.publishAsync('open/kept', 'free', { qos: 1, retain: true })
    const eve = await scene.eve()
    for (const payload of ['evil', ''])
      await eve.mqtt.publishAsync('secret/kept', payload, { qos: 1, retain: true })
    assert.deepEqual(await granted(eve, '+/kept'), [1])
    await until('what she may read', () => eve.heard.length > 0)
    assert.deepEqual(eve.heard, ['open/kept free'])
    const reader = await attacker(context, daemon.port, as('ann'))
    await reader.mqtt.subscribeAsync('secret/kept')
    await until('what ann may read', () => reader.heard.length > 0)
    assert.deepEqual(reader.heard, ['secret/kept rightful'])
    await theLine(daemon, 'publish refused', eve.address, byList)
  })

  await context.test('nobody says anything below $SYS, not even who may write everywhere', async () => {
    const all = await attacker(context, daemon.port, { ...as('watch'), protocolVersion: 5 })
    assert.equal(await published(all, '$SYS/broker/version', 'evil', { qos: 1, retain: true }), 0x87)
    await scene.rightfulHeard()
    await theLine(daemon, 'publish refused', all.address, /\$SYS/)
    const eve = await scene.eve()
    assert.deepEqual(await granted(eve, '$SYS/#'), [0x80])
    assert.deepEqual(await granted(all, '$SYS/broker/version'), [1])
    await until('what it may read', () => all.heard.length > 0)
    assert.doesNotMatch(`${all.heard}`, /evil/)
    await theLine(daemon, 'subscription refused', eve.address, byList)
  })

  await context.test('the session of another user, by its client id, is not handed over', async () => {
    const phone = { ...as('ann'), clientId: 'phone', clean: false }
    const first = await attacker(context, daemon.port, phone)
    await first.mqtt.subscribeAsync('secret/#', { qos: 1 })
    await first.mqtt.endAsync()
    await watch.mqtt.publishAsync('secret/letter', 'for ann', { qos: 1 })
    const eve = await scene.eve({ clientId: 'phone', clean: false })
    await watch.mqtt.publishAsync('secret/letter', 'another', { qos: 1 })
    assert.deepEqual(await granted(eve, 'open/end'), [1])
    await watch.mqtt.publishAsync('open/end', '', { qos: 1 })
    await until('what she may hear', () => eve.heard.includes('open/end '))
    assert.deepEqual(eve.heard, ['open/end '])
    const line = await daemon.logged('session ended: another user connected with its client id')
    assert.deepEqual(
      [line.level, line['client'], line['owner'], line['user'], line['address']],
      ['warn', 'phone', 'ann', 'eve', eve.address],
    )
    await eve.mqtt.endAsync()
    const again = await attacker(context, daemon.port, { ...phone, clientId: 'her own' })
    await again.mqtt.endAsync()
  })

  for (const name of odd)
    await context.test(`the user name ${name} widens no pattern`, async () => {
      const trickster = await attacker(context, daemon.port, as(name))
      assert.deepEqual(await granted(trickster, 'home/ann/x'), [0x80])
      await trickster.mqtt.publishAsync('home/ann/x', 'evil', { qos: 1 })
      await scene.rightfulHeard()
      const unfit = 'pattern lines do not hold for a client: its name would be a wildcard'
      const told = daemon.having(unfit).filter((line) => line['address'] === trickster.address)
      assert.deepEqual([told.length, told[0]?.level], [1, 'warn'])
      await theLine(daemon, 'publish refused', trickster.address, byList)
      assert.deepEqual(await granted(scene.ann, 'home/ann/x'), [1])
    })

  for (const clientId of ['+', '#', 'c/d'])
    await context.test(`the client id ${clientId} widens no pattern`, async () => {
      const eve = await scene.eve({ clientId })
      for (const filter of ['dev/other/x', 'dev/c/d/x']) assert.deepEqual(await granted(eve, filter), [0x80])
      await eve.mqtt.publishAsync('dev/other/x', 'evil', { qos: 1 })
      await scene.rightfulHeard()
      await theLine(daemon, 'publish refused', eve.address, byList)
      const plain = await scene.eve()
      assert.deepEqual(await granted(plain, `dev/c${plain.address}/x`), [1])
    })

  await context.test('a rule carries nothing over the list for a client that may not', async () => {
    const eve = await scene.eve()
    await eve.mqtt.publishAsync('open/carry', 'go', { qos: 1 })
    await until('what rules may say', () => watch.heard.includes('out/carried x'))
    const failed = await daemon.logged('step failed')
    assert.match(JSON.stringify(failed), /secret\/carried.*config\/acl does not allow it/)
    assert.equal(watch.heard.includes('secret/carried x'), false)
    const address = ownAddress()
    const own = { username: '$rules', password: 'x', address }
    assert.equal(await refusedWith(context, daemon.port, own), 4)
    await theLine(daemon, 'client refused', address, /wrong user name or password/)
    await scene.rightfulHeard()
  })

  await context.test(
    'a delayed will is not published when the right to it was taken away meanwhile',
    async () => {
      const leave = async (topic: string): Promise<string> => {
        const will = { topic, payload: Buffer.from('evil'), properties: { willDelayInterval: 2 } }
        const one = await attacker(context, daemon.port, {
          ...as('temp'),
          protocolVersion: 5,
          properties: { sessionExpiryInterval: 60 },
          will: { ...will, qos: 0 as const, retain: false },
        })
        one.mqtt.stream.destroy()
        return one.address
      }
      const address = await leave('tell/gone')
      await leave('tell/kept')
      const reloaded = daemon.having('configuration reloaded').length
      await daemon.write('config/acl', acl.replace('topic write tell/#', 'topic write tell/kept'))
      await daemon.logged('configuration reloaded', reloaded + 1)
      await until('the will that is still allowed', () => watch.heard.includes('tell/kept evil'))
      await theLine(daemon, 'publish refused', address, byList)
      assert.equal(watch.heard.includes('tell/gone evil'), false)
      watch.heard.splice(0)
      await scene.rightfulHeard()
    },
  )
})
