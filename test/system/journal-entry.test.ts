import assert from 'node:assert/strict'
import { test } from 'node:test'
import { journalEntry } from '#src/system/journal-entry.js'

/** What the journal reads of an entry; systemd.io/JOURNAL_NATIVE_PROTOCOL. */
function fieldsOf(entry: Buffer): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let at = 0; at < entry.length; ) {
    const end = entry.indexOf('\n', at)
    const line = entry.toString('utf8', at, end)
    const equals = line.indexOf('=')
    if (equals >= 0) {
      fields[line.slice(0, equals)] = line.slice(equals + 1)
      at = end + 1
    } else {
      const length = Number(entry.readBigUInt64LE(end + 1))
      fields[line] = entry.toString('utf8', end + 9, end + 9 + length)
      assert.equal(entry[end + 9 + length], 0x0a)
      at = end + 10 + length
    }
  }
  return fields
}

test('a line has its priority, itself as the message, and its fields as they are', () => {
  const line =
    '{"level":"warn","time":"2026-01-02T03:04:05.678Z","client":"kitchen","keepAliveSeconds":60,"msg":"x"}'
  assert.deepEqual(fieldsOf(journalEntry(line)), {
    MESSAGE: line,
    PRIORITY: '4',
    SYSLOG_IDENTIFIER: 'damselfly',
    DAMSELFLY_CLIENT: 'kitchen',
    DAMSELFLY_KEEP_ALIVE_SECONDS: '60',
  })
})

for (const [level, priority] of [
  ['debug', '7'],
  ['info', '6'],
  ['error', '3'],
  ['fatal', '2'],
  ['unheard', '6'],
  ['constructor', '6'],
] as const) {
  test(`${level} is priority ${priority}`, () => {
    assert.equal(fieldsOf(journalEntry(`{"level":"${level}"}`))['PRIORITY'], priority)
  })
}

test('a field called level, which an action may log, does not change the priority', () => {
  const line = '{"level":"error","time":"2026-01-02T03:04:05.678Z","level":"debug","msg":"x"}'
  assert.equal(fieldsOf(journalEntry(line))['PRIORITY'], '3')
})

test('lists and objects are JSON', () => {
  const fields = fieldsOf(
    journalEntry('{"level":"error","addresses":["127.0.0.1","10.77.0.2"],"err":{"code":"X"}}'),
  )
  assert.equal(fields['DAMSELFLY_ADDRESSES'], '["127.0.0.1","10.77.0.2"]')
  assert.equal(fields['DAMSELFLY_ERR'], '{"code":"X"}')
})

test('a value cannot bring a field of its own: its line breaks are within its length', () => {
  const fields = fieldsOf(journalEntry('{"level":"info","client":"x\\nPRIORITY=0\\nUNIT=ssh.service"}'))
  assert.equal(fields['DAMSELFLY_CLIENT'], 'x\nPRIORITY=0\nUNIT=ssh.service')
  assert.equal(fields['PRIORITY'], '6')
  assert.equal(fields['UNIT'], undefined)
})

test('a key that the journal has no name for gets one, of 64 characters at most', () => {
  const fields = fieldsOf(journalEntry(`{"level":"info","rules.dropped":3,"${'ä'.repeat(99)}":1}`))
  assert.equal(fields['DAMSELFLY_RULES_DROPPED'], '3')
  assert.equal(fields[`DAMSELFLY_${'_'.repeat(54)}`], '1')
})
