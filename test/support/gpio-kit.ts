import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock, type TestContext } from 'node:test'
import { Counters } from '#src/core/counters.js'
import type { InputPin, OutputPin } from '#src/core/pin.js'
import type { Logger } from '#src/core/ports.js'
import { PinBoard } from '#src/gpio/board.js'

const place = { file: 'damselfly.yaml', line: 3, column: 5 }

export function output(name: string, line: number | string, more: Partial<OutputPin> = {}): OutputPin {
  const rest = { isActiveLow: false, initial: 'off', onStop: 'off', place } as const
  return { name, direction: 'out', line, ...rest, ...more }
}

export function input(name: string, line: number | string, more: Partial<InputPin> = {}): InputPin {
  const rest = { isActiveLow: false, pull: 'as-is', debounceMs: 0, place } as const
  return { name, direction: 'in', line, ...rest, ...more }
}

export interface LogLine extends Record<string, unknown> {
  readonly level: string
  readonly message: string
}

/** A logger that keeps its lines. */
export class KeptLog implements Logger {
  readonly lines: LogLine[] = []

  debug(fields: object, message: string): void {
    this.lines.push({ ...fields, level: 'debug', message })
  }
  info(fields: object, message: string): void {
    this.lines.push({ ...fields, level: 'info', message })
  }
  warn(fields: object, message: string): void {
    this.lines.push({ ...fields, level: 'warn', message })
  }
  error(fields: object, message: string): void {
    this.lines.push({ ...fields, level: 'error', message })
  }

  of(level: string): LogLine[] {
    return this.lines.filter((line) => line.level === level)
  }
}

/** A folder that goes away with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-gpio-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A board of the simulator, not started yet. */
export async function simulatedBoard(t: TestContext): Promise<SimulatedWorld> {
  const dataDir = await temporaryFolder(t)
  const log = new KeptLog()
  const counters = new Counters()
  const clock = { nowMs: 0 }
  const board = new PinBoard({ choice: 'simulated', dataDir, log, counters, nowMs: () => clock.nowMs })
  t.after(() => board.close())
  const events: string[] = []
  board.listen({
    onState: (pin, state, chain) => events.push([pin, state, ...chain].join(' ')),
    onRemoved: (pin) => events.push(`${pin} removed`),
  })
  return {
    board,
    dataDir,
    log,
    counters,
    events,
    pass: (ms) => {
      clock.nowMs += ms
      mock.timers.tick(ms)
    },
  }
}

export interface SimulatedWorld {
  readonly board: PinBoard
  readonly dataDir: string
  readonly log: KeptLog
  readonly counters: Counters
  /** `PIN STATE RULE…` for each state told, `PIN removed`. */
  readonly events: string[]
  /** Lets mocked time go by. */
  pass(ms: number): void
}
