import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { limits, setLimits } from '#src/core/limits.js'
import type { QoS } from '#src/core/message.js'
import { matchesFilter } from '#src/core/topics.js'
import { ModelClient, type Sent } from '../support/model-client.js'
import { SessionWorld, turns } from '../support/session-world.js'

const windowOfAll = 4
const topics = ['t/0', 't/1', 'x/0'] as const
const filters = ['t/0', 't/1', '+/0', 't/#', '#'] as const

const who = fc.constantFrom(0, 0, 1, 1, 2)
const qos = fc.constantFrom<QoS>(0, 1, 1, 2, 2)
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      who,
      isV5: fc.boolean(),
      clean: fc.constantFrom(false, false, true),
      isDurable: fc.constantFrom(true, true, false),
      window: fc.constantFrom(1, 2, 5),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      who,
      filter: fc.constantFrom(...filters),
      qos,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('unsubscribe' as const),
      who,
      filter: fc.constantFrom(...filters),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      who: fc.constantFrom(0, 1, 2, 3), // 3: the house
      topic: fc.constantFrom('t/0', ...topics),
      qos,
      isHurried: fc.boolean(),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      who,
      index: fc.nat(4),
      isRefused: fc.constantFrom(false, false, true),
      isHurried: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('answer wrongly' as const),
      who,
      kind: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
      id: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...(['answer early', 'drop', 'leave', 'leave for good', 'stick', 'loosen', 'answer all'] as const),
      ),
      who,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(...(['begin', 'begin', 'finish', 'finish', 'keep', 'crash'] as const)),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** Somebody listens: without it little would happen in most runs. */
const beginning: readonly Step[] = [
  { do: 'connect', who: 0, isV5: true, clean: true, isDurable: true, window: 1 },
  { do: 'subscribe', who: 0, filter: 't/#', qos: 2 },
  { do: 'connect', who: 1, isV5: false, clean: false, isDurable: true, window: 5 },
  { do: 'subscribe', who: 1, filter: '#', qos: 2 },
  { do: 'subscribe', who: 1, filter: 't/0', qos: 1 },
]

/** The broker, and what its clients know of it. */
class Play {
  readonly clients = ['a', 'b', 'c'].map((id) => new ModelClient(id))
  world: SessionWorld
  #number = 0
  #hurried: number | undefined

  constructor(world: SessionWorld) {
    this.world = world
  }

  async take(step: Step): Promise<void> {
    // two of these by one client go in one chunk
    const hurried = (step.do === 'publish' || step.do === 'answer') && step.isHurried ? step.who : undefined
    if (this.#hurried !== undefined && this.#hurried !== hurried) await this.settle()
    this.#hurried = hurried
    if (hurried !== undefined) this.clients[hurried]?.line?.holdBreath()
    await this.#do(step)
    if (hurried === undefined) await this.settle()
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case 'publish':
        this.#publish(step.who, step.topic, step.qos)
        break
      case 'begin':
        this.world.ledger.begin()
        break
      case 'finish':
        this.world.ledger.finish()
        break
      case 'keep':
        await this.world.keep()
        break
      case 'crash':
        for (const client of this.clients) client.crashed()
        this.world = await this.world.crash()
        break
      default:
        await this.#act(this.clients[step.who] as ModelClient, step)
    }
  }

  /** Connects everybody who has something to come, and takes all of it. */
  async finish(): Promise<void> {
    for (const client of this.clients) {
      if (client.isConnected || !client.hasSession) continue
      client.connect(this.world, { isV5: true, clean: false, isDurable: true, window: 100 }, windowOfAll)
    }
    await this.settle()
    for (let quiet = 0; quiet < 3; quiet++) {
      await this.world.keep()
      await this.settle()
      for (const client of this.clients) {
        if (client.isStuck) this.#loosen(client)
        while (client.due.length > 0) {
          client.answer(0)
          quiet = 0
        }
      }
    }
    for (const { id, expected, heard, hasSession } of this.clients) {
      if (!hasSession) continue
      for (const one of expected.values()) {
        if (one.qos === 0 || one.mayBeLost || heard.includes(one)) continue
        assert.fail(`${id}: message ${one.sent.number}, QoS ${one.qos}, never came`)
      }
    }
    assert.equal(this.world.sessions.queuedMessages, 0)
    this.world.ledger.disk.read() // which checks that nothing of it is left over
    assert.equal(this.world.ledger.disk.bodies.size, 0)
    assert.equal(this.world.house.budget.bytes, 0)
  }

  async settle(): Promise<void> {
    for (const client of this.clients) client.line?.speak()
    for (let round = 0; round < 2; round++) {
      await turns()
      for (const client of this.clients) client.read()
    }
  }

  async #act(client: ModelClient, step: Extract<Step, { who: number }>): Promise<void> {
    if (step.do === 'connect') return this.#connect(client, step)
    if (client.connack === undefined || !client.isConnected) return
    switch (step.do) {
      case 'subscribe':
        this.#loosen(client)
        client.subscribe(step.filter, step.qos)
        await this.world.keep()
        await this.settle()
        assert.equal(client.suback, step.qos)
        client.subscriptions.set(step.filter, step.qos)
        return
      case 'unsubscribe':
        this.#loosen(client)
        client.unsubscribe(step.filter)
        await this.world.keep()
        await this.settle()
        assert.equal(client.unsuback, 0)
        client.subscriptions.delete(step.filter)
        return
      case 'answer':
        client.answer(step.index, step.isRefused)
        if (!step.isRefused) return
        client.line?.speak()
        await this.world.keep()
        return
      case 'answer all':
        while (client.due.length > 0) client.answer(0)
        return
      case 'answer wrongly':
        return client.answerWrongly(step.kind, step.id)
      case 'answer early':
        return client.answerEarly()
      case 'drop':
        return client.lose()
      case 'leave':
      case 'leave for good':
        client.leave(step.do === 'leave for good')
        await turns()
        assert.ok(client.line?.isClosed)
        client.lose()
        return this.world.keep()
      case 'stick':
        client.isStuck = true
        return client.line?.stick()
      case 'loosen':
        return this.#loosen(client)
    }
  }

  async #connect(client: ModelClient, step: Extract<Step, { do: 'connect' }>): Promise<void> {
    const isDurable = step.isV5 ? step.isDurable : !step.clean
    client.connect(this.world, { ...step, isDurable }, windowOfAll)
    await this.world.keep()
    await this.settle()
    assert.ok(client.connack, `${client.id}: no CONNACK`)
  }

  #loosen(client: ModelClient): void {
    client.isStuck = false
    client.line?.loosen()
  }

  #publish(index: number, topic: string, qos: QoS): void {
    const publisher = this.clients[index]
    const from = publisher?.id ?? 'house'
    const sent: Sent = { number: ++this.#number, from, topic, qos, isAcknowledged: false }
    if (publisher !== undefined) {
      if (!publisher.isConnected || publisher.connack === undefined) return
      if (publisher.outgoing.size >= windowOfAll) return
    }
    for (const client of this.clients) this.#expect(client, sent)
    if (publisher === undefined) void this.world.hub.publish({ topic, payload: `${sent.number}`, qos })
    else publisher.publish(sent)
  }

  #expect(client: ModelClient, sent: Sent): void {
    const granted = [...client.subscriptions].filter(([filter]) => matchesFilter(filter, sent.topic))
    if (!client.hasSession || granted.length === 0) return
    const most = Math.max(...granted.map(([, each]) => each))
    const qos = Math.min(sent.qos, most) as QoS
    if (qos === 0 && !client.isConnected) return
    client.expected.set(sent.number, { sent, qos, mayBeLost: false, mayRepeat: false })
  }
}

before(() => setLimits({ inflightMessagesMax: windowOfAll, outputBytesMax: 600 }))
after(() => setLimits({}))

test('sessions lose nothing, repeat nothing, keep order, identifiers and windows, whatever clients, store and crashes do', async () => {
  assert.equal(limits.inflightMessagesMax, windowOfAll)
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 70, size: 'max' }), async (steps) => {
      const play = new Play(await SessionWorld.open())
      try {
        for (const one of [...beginning, ...steps]) await play.take(one)
        await play.finish()
      } finally {
        for (const client of play.clients) client.line?.destroy()
        await play.world.close()
      }
    }),
    { numRuns: Number(process.env['SESSION_RUNS'] ?? 200), includeErrorInReport: true },
  )
})
