import { Writable } from 'node:stream'
import { type DestinationStream, type LoggerOptions, pino } from 'pino'
import type { Logger } from '../core/ports.ts'
import { harmlessJson } from './harmless.ts'
import { journalEntry, priorityOf } from './journal-entry.ts'
import { isJournalStream, withPriority } from './journal-stream.ts'
import { openUnixDatagram, type UnixDatagram } from './unix-datagram.ts'

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** `pretty` for a person at a terminal, `json` for the journal and for programs. */
  readonly format: 'pretty' | 'json'
  /** What systemd says of its stream into the journal: `JOURNAL_STREAM`. */
  readonly journalStream?: string | undefined
  /** Where the journal takes entries with fields. */
  readonly journalSocket?: string
}

/** The process's logger; its level can be changed while it runs. */
export interface ProcessLog extends Logger {
  level: string
}

/**
 * Writes one line a message to standard output, at once: what was logged before a crash is there.
 * In JSON a line has `level` (a word), `time` (ISO 8601), `msg` and the fields. When standard output is the journal, that
 * gets each line with its priority and its fields.
 */
export async function createLog(options: LogOptions): Promise<ProcessLog> {
  const log: ProcessLog = pino<never>(settingsOf(options), await destinationOf(options))
  return log
}

function settingsOf({ level }: LogOptions): LoggerOptions<never> {
  return {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
}

async function destinationOf({
  format,
  journalStream,
  journalSocket = '/run/systemd/journal/socket',
}: LogOptions): Promise<DestinationStream> {
  if (format === 'pretty') return await prettyStream()
  if (!isJournalStream(1, journalStream)) return harmlessOutput()
  return journalOutput(await openUnixDatagram(journalSocket))
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

/** Standard output, at once, with such characters as JSON escapes them. */
function harmlessOutput(): Writable {
  const write = standardOutput()
  return lines((line) => write(harmlessJson(line)))
}

/** The journal, at once; over standard output what its socket does not take: too much at a time, or for one datagram. */
function journalOutput(journal: UnixDatagram): Writable {
  const write = standardOutput()
  return lines((line) => {
    const harmless = harmlessJson(line.trimEnd())
    try {
      if (journal.send(journalEntry(harmless))) return
    } catch {
      // it is told over standard output, as all that follows
    }
    write(`${withPriority(harmless, priorityOf(harmless))}\n`)
  })
}

function standardOutput(): (text: string) => void {
  const output = pino.destination({ dest: 1, sync: true })
  output.on('error', () => {}) // @NOTE a log that cannot be written (a full disk) ends nothing
  return (text) => void output.write(text)
}

function lines(write: (line: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      write(String(chunk))
      done()
    },
  })
}
