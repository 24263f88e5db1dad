import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { DaemonStatus } from '#src/control/protocol.js'
import { ControlServer } from '#src/control/server.js'
import { type BrokerAmounts, reloadOutcome, statusOf } from '#src/control/status.js'
import { TraceHub } from '#src/control/trace-hub.js'
import type { BrokerView } from '#src/core/broker-view.js'
import { Counters } from '#src/core/counters.js'
import { readPinOrder } from '#src/core/pin-order.js'
import type { Hub } from '#src/core/ports.js'
import type { Rule } from '#src/core/rule.js'
import type { TraceMessage } from '#src/core/trace.js'
import type { PinBoard } from '#src/gpio/board.js'
import { output, simulatedBoard } from './gpio-kit.js'
import { MemoryLog } from './memory-log.js'
import { rule } from './rules.js'
import { tempFolder } from './temp-folder.js'
import { until } from './until.js'

/** A broker, as far as it is asked; without a view it is elsewhere. */
export interface ControlledBroker {
  readonly hub: Hub
  readonly view: BrokerView | undefined
}

/** Nothing ever comes. */
const nobody: ControlledBroker = {
  hub: { publish: async () => {}, subscribe: () => () => {}, async *retained() {} },
  view: undefined,
}

/** A control socket over a real board, without a broker and without rules that run: what is traced is told by hand. */
export class ControlWorld {
  readonly path: string
  readonly board: PinBoard
  readonly log = new MemoryLog()
  readonly counters = new Counters()
  readonly trace: TraceHub
  readonly server: ControlServer
  rules: readonly Rule[] = [rule('lamp on', 'home/lamp/set', [])]
  amounts: BrokerAmounts = { clients: 0 }
  reloads = 0

  constructor(path: string, board: PinBoard, broker: ControlledBroker = nobody) {
    this.path = path
    this.board = board
    this.trace = new TraceHub({
      rules: () => this.rules,
      orderOf: (message) => readPinOrder(message, 'test', this.board.pins),
    })
    const { log, counters, trace } = this
    this.server = new ControlServer({
      path,
      name: 'test',
      pins: board,
      log,
      counters,
      trace,
      hub: broker.hub,
      view: broker.view,
      status: () => this.status(),
      reload: async () => reloadOutcome(++this.reloads === 1 ? undefined : 'a mistake'),
    })
  }

  status(): DaemonStatus {
    return statusOf({
      version: '0.0.0',
      host: 'host',
      startedAt: new Date(),
      settings: { name: 'test', port: 1883, rules: this.rules, pins: this.board.pins, sensors: [] },
      addresses: ['127.0.0.1'],
      listeners: [{ name: 'main', transport: 'mqtt', addresses: ['127.0.0.1'], port: 1883 }],
      pending: [],
      amounts: this.amounts,
      board: this.board,
      lastReload: undefined,
      counters: this.counters.snapshot(),
    })
  }
}

export async function startControl(
  context: TestContext,
  options: {
    readonly folder?: string
    readonly amounts?: BrokerAmounts
    readonly broker?: ControlledBroker
  } = {},
): Promise<ControlWorld> {
  const { board } = await simulatedBoard(context)
  await board.start([output('lamp', 17)])
  const world = new ControlWorld(
    join(options.folder ?? (await tempFolder(context)), 'control.sock'),
    board,
    options.broker,
  )
  if (options.amounts !== undefined) world.amounts = options.amounts
  await world.server.open()
  context.after(() => world.server.close())
  return world
}

/** A program that speaks to the control socket, well or badly. */
export class Talker {
  readonly socket: Socket
  readonly answers: Record<string, unknown>[] = []
  /** The other side has nothing more to say. */
  isClosed = false
  #rest = ''

  constructor(path: string, options: { readonly reads?: boolean } = {}) {
    this.socket = createConnection({ path, allowHalfOpen: true })
    this.socket.on('error', () => {})
    for (const event of ['end', 'close'])
      this.socket.on(event, () => {
        this.isClosed = true
      })
    if (options.reads !== false) this.read()
  }

  read(): void {
    this.socket.on('data', (chunk) => {
      const lines = (this.#rest + chunk).split('\n')
      this.#rest = lines.pop() as string
      for (const line of lines) this.answers.push(JSON.parse(line))
    })
  }

  static async to(path: string, options: { readonly reads?: boolean } = {}): Promise<Talker> {
    const talker = new Talker(path, options)
    await once(talker.socket, 'connect')
    return talker
  }

  /** Sends a request and waits for the answer to it. */
  async ask(request: object): Promise<Record<string, unknown>> {
    const before = this.answers.length
    this.socket.write(`${JSON.stringify(request)}\n`)
    return await this.answer(before)
  }

  /** The answer with this number, waited for. */
  async answer(index: number): Promise<Record<string, unknown>> {
    await until(`answer ${index} after ${JSON.stringify(this.answers)}`, () => this.answers.length > index)
    return this.answers[index] as Record<string, unknown>
  }
}

/** A message as the rules would tell of it. */
export function tracedMessage(id: number, topic: string, more: Partial<TraceMessage> = {}): TraceMessage {
  const payload = Buffer.from('{"msg":"ON"}')
  const rest = { atMs: Date.now(), payload, qos: 0, retain: false, client: 'esp32', rules: [] }
  return { kind: 'message', id, topic, ...rest, ...more }
}
