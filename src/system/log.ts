import { Writable } from 'node:stream'
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
  const destination = format === 'json' ? harmlessOutput() : await prettyStream()
  const log: ProcessLog = pino<never>(options, destination)
  return log
}

async function prettyStream(): Promise<DestinationStream> {
  const module = await import('pino-pretty')
  return module.default({
    destination: harmlessOutput(),
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
  })
}

/**
 * What JSON lets through, and terminals obey: DEL, C1 controls (ECMA-48: U+009B begins what ESC [ does), and what turns a
 * line around. Clients choose their ids and topics.
 */
const harmful = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Standard output, at once, with such characters as JSON escapes them. */
function harmlessOutput(): Writable {
  const output = pino.destination({ dest: 1, sync: true })
  output.on('error', () => {}) // @NOTE a log that cannot be written (a full disk) ends nothing
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      output.write(String(chunk).replaceAll(harmful, escaped))
      done()
    },
  })
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
