import type { EventEmitter } from 'node:events'
import { type DestinationStream, pino } from 'pino'
import type { Logger } from '../core/ports.ts'

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** `pretty` for a person at a terminal, `json` for the journal and for programs. */
  readonly format: 'pretty' | 'json'
}

/** The process's logger; its level can be changed while it runs. */
export interface ProcessLog extends Logger {
  level: string
}

/**
 * Writes one line a message to standard output, at once: what was logged before a crash is there.
 * In JSON a line has `level` (a word), `time` (ISO 8601), `msg` and the fields.
 */
export async function createLog({ level, format }: LogOptions): Promise<ProcessLog> {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const destination = format === 'json' ? pino.destination({ dest: 1, sync: true }) : await prettyStream()
  destination.on('error', () => {}) // @NOTE a log that cannot be written (a full disk) ends nothing
  const log: ProcessLog = pino<never>(options, destination)
  return log
}

async function prettyStream(): Promise<DestinationStream & EventEmitter> {
  const module = await import('pino-pretty')
  return module.default({
    sync: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
  })
}
