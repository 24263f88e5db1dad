import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { isJournalStream, withPriority } from '#src/system/journal-stream.js'
import { missing } from '../support/tools.js'

const skip = missing('python3')

/** A program that logs, as a process of its own: its standard output is a file, or, as it is told, the journal. */
const program = `
import { fstatSync } from 'node:fs'
import { createLog } from '#src/system/log.js'
const { dev, ino } = fstatSync(1)
const journalStream = process.argv[1] === 'journal' ? dev + ':' + ino : '0:0'
const log = await createLog({ level: 'info', format: 'json', journalStream, journalSocket: process.argv[2] })
log.info({ client: 'kitchen' }, 'came')
log.warn({ text: 'x'.repeat(Number(process.argv[3])) }, 'long')
log.error({ client: '\\u009b2J' }, 'went')
`

const journal = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(1 << 22).decode().split('\\n')[1:-1], flush=True)
`

async function logged(kind: 'journal' | 'other', textLength: number) {
  const folder = mkdtempSync(join(tmpdir(), 'damselfly-log-'))
  const socket = join(folder, 'socket')
  const file = openSync(join(folder, 'out'), 'w')
  const receiver = spawn('python3', ['-c', journal, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const entries: string[] = []
    const bound = new Promise<void>((resolve) => {
      createInterface(receiver.stdout).on('line', (line) => {
        if (line === 'bound') resolve()
        else entries.push(line)
      })
    })
    await bound
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', program, kind, socket, String(textLength)],
      { stdio: ['ignore', file, 'inherit'], cwd: join(import.meta.dirname, '../..') },
    )
    assert.equal((await once(child, 'exit'))[0], 0)
    await new Promise((resolve) => setTimeout(resolve, 300)) // the receiver's turn
    return { entries, output: readFileSync(join(folder, 'out'), 'utf8') }
  } finally {
    receiver.kill()
    closeSync(file)
    rmSync(folder, { recursive: true })
  }
}

test('where standard output is the journal, that gets entries with fields, and nothing is written beside it', {
  skip,
}, async () => {
  const { entries, output } = await logged('journal', 1)
  assert.deepEqual(entries, [
    "['PRIORITY=6', 'SYSLOG_IDENTIFIER=damselfly', 'DAMSELFLY_CLIENT=kitchen']",
    "['PRIORITY=4', 'SYSLOG_IDENTIFIER=damselfly', 'DAMSELFLY_TEXT=x']",
    "['PRIORITY=3', 'SYSLOG_IDENTIFIER=damselfly', 'DAMSELFLY_CLIENT=\\\\u009b2J']",
  ])
  assert.equal(output, '')
})

test('what is too long for an entry goes over standard output, with its priority', { skip }, async () => {
  const { entries, output } = await logged('journal', 8_000_000)
  assert.equal(entries.length, 2)
  assert.match(output, /^<4>\{"level":"warn",.*"msg":"long"\}\n$/)
})

test('elsewhere the log is lines of JSON on standard output', { skip }, async () => {
  const { entries, output } = await logged('other', 1)
  assert.deepEqual(entries, [])
  const lines = output.trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).msg),
    ['came', 'long', 'went'],
  )
  assert.match(lines[2] ?? '', /\\u009b2J/)
})

test('a descriptor is the journal when device and inode are those that systemd names', () => {
  const { dev, ino } = fstatSync(2)
  assert.equal(isJournalStream(2, `${dev}:${ino}`), true)
  assert.equal(isJournalStream(2, `${dev}:${ino + 1}`), false)
  assert.equal(isJournalStream(2, undefined), false)
  assert.equal(isJournalStream(9_999, `${dev}:${ino}`), false)
})

test('each line of a text has its priority', () => {
  assert.equal(withPriority('one\n\ntwo', 3), '<3>one\n<3>\n<3>two')
})
