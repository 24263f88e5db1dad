import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { ControlWorld, startControl, Talker, tracedMessage } from '../support/control.js'
import { input, output } from '../support/gpio-kit.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

type PinFields = Record<string, unknown>

const errorOf = (answer: Record<string, unknown>) =>
  answer['error'] as { readonly code: string; readonly message: string }

test('the status and the pins are answered, each with the protocol', async (context) => {
  const { path } = await startControl(context)
  const talker = await Talker.to(path)
  const status = await talker.ask({ get: 'status' })
  assert.equal(status['protocol'], 1)
  const told = status['status'] as Record<string, unknown>
  assert.deepEqual([told['name'], told['pid']], ['test', process.pid])
  assert.deepEqual(told['rules'], { enabled: 1, disabled: 0 })
  assert.deepEqual(told['pins'], { held: 1, unavailable: [], chip: 'simulated', isSimulated: true })
  const pins = (await talker.ask({ get: 'pins' }))['pins'] as PinFields[]
  assert.deepEqual(
    pins.map(({ name, line, direction, state }) => [name, line, direction, state]),
    [['lamp', 'GPIO17', 'out', 'off']],
  )
  talker.socket.destroy()
})

test('how much the broker has is told where it tells, and left out where it does not', async (context) => {
  const amounts = { clients: 1, sessions: 3, queuedMessages: 40, retainedMessages: 5 }
  for (const given of [amounts, {}]) {
    const talker = await Talker.to((await startControl(context, { amounts: given })).path)
    const told = (await talker.ask({ get: 'status' }))['status'] as Record<string, unknown>
    for (const name of Object.keys(amounts))
      assert.equal(told[name], (given as Record<string, unknown>)[name], name)
    assert.equal('sessions' in told, given === amounts)
    talker.socket.destroy()
  }
})

test('whoever has said all it has to say still gets its answers', async (context) => {
  const { path } = await startControl(context)
  const talker = await Talker.to(path)
  talker.socket.end('{"get":"status"}\n{"get":"pins"}')
  await until('the end', () => talker.isClosed)
  assert.deepEqual(
    talker.answers.map((answer) => Object.keys(answer)[1]),
    ['status', 'pins'],
  )
})

test('what is no request is answered with an error that lists the requests, and the next one is served', async (context) => {
  const { path } = await startControl(context)
  const talker = await Talker.to(path)
  const bad = [
    'hello',
    '{',
    '[]',
    '3',
    'null',
    '"get"',
    '{}',
    '{"get":"x"}',
    '{"get":"status","watch":"pins"}',
    '{"watch":"status"}',
    '{"watch":"trace","filter":7}',
    '{"watch":"trace","filter":"a#"}',
    '{"get":"status","protocol":2}',
    '\0\xff',
    '{"__proto__":{"get":"status"}}',
  ]
  for (const line of bad) talker.socket.write(`${line}\n`)
  await until('all are answered', () => talker.answers.length === bad.length)
  assert.deepEqual([...new Set(talker.answers.map((answer) => errorOf(answer).code))], ['REQUEST_INVALID'])
  assert.match(errorOf(talker.answers[0] as never).message, /\{"get":"status"\}/)
  assert.match(errorOf(talker.answers[11] as never).message, /no topic filter: # must/)
  assert.ok('status' in (await talker.ask({ get: 'status', protocol: 1 })))
  talker.socket.destroy()
})

test('a request of the greatest length is read, a longer one skipped and counted', async (context) => {
  const { path, counters } = await startControl(context)
  const talker = await Talker.to(path)
  const request = '{"get":"pins"}'
  talker.socket.write(`${request.padEnd(limits.controlLineBytesMax)}\n`)
  assert.ok('pins' in (await talker.answer(0)))
  talker.socket.write(`${request.padEnd(limits.controlLineBytesMax + 1)}\n${request}\n`)
  assert.equal(errorOf(await talker.answer(1)).code, 'REQUEST_TOO_LONG')
  assert.ok('pins' in (await talker.answer(2)))
  assert.equal(counters.get('controlLineBytesMax'), 1)
  talker.socket.destroy()
})

test('with all places taken the oldest that watches nothing goes; not all may watch, so that one can always ask', async (context) => {
  const { path, counters } = await startControl(context)
  const silent = await Talker.to(path)
  const watching: Talker[] = []
  for (let count = 0; count < limits.controlWatchersMax; count++) {
    watching.push(await Talker.to(path))
    assert.ok(!('error' in ((await watching.at(-1)?.ask({ watch: count % 2 ? 'pins' : 'trace' })) ?? {})))
  }
  const refused = await Talker.to(path)
  for (const watch of ['trace', 'pins'])
    assert.equal(errorOf(await refused.ask({ watch })).code, 'TOO_MANY_CONNECTIONS')
  assert.ok('status' in (await refused.ask({ get: 'status' })), 'it may ask all the same')
  assert.ok('trace' in ((await watching[1]?.ask({ watch: 'trace' })) ?? {}), 'who watches may watch more')
  assert.deepEqual([counters.get('controlWatchersMax'), counters.get('controlConnectionsMax')], [2, 0])

  assert.equal(silent.isClosed, false)
  assert.ok('pins' in ((await oneAnswer(path)) ?? {}))
  await until('the silent one is gone', () => silent.isClosed)
  assert.equal(counters.get('controlConnectionsMax'), 1)
  for (let count = 0; count < limits.controlConnectionsMax; count++)
    assert.ok('pins' in ((await oneAnswer(path)) ?? {}))

  watching[0]?.socket.destroy()
  const next = await Talker.to(path)
  await until('its place is free', async () => 'trace' in (await next.ask({ watch: 'trace' })))
  for (const talker of [next, ...watching]) talker.socket.destroy()
})

async function oneAnswer(path: string): Promise<Record<string, unknown> | undefined> {
  const talker = await Talker.to(path)
  talker.socket.end('{"get":"pins"}\n')
  await until('the answer', () => talker.isClosed)
  return talker.answers[0]
}

test('a trace that nobody reads costs its bound, and what was left out is told when there is room', async (context) => {
  const { path, trace, counters } = await startControl(context)
  const slow = await Talker.to(path, { reads: false })
  const quick = await Talker.to(path)
  slow.socket.write('{"watch":"trace"}\n')
  await quick.ask({ watch: 'trace' })
  await until('both watch', async () => {
    trace.tell(tracedMessage(0, 'is/it/there'))
    return counters.get('x') === 0 && quick.answers.some((answer) => 'message' in answer)
  })
  const payload = Buffer.alloc(limits.tracePayloadBytesMax, 'x')
  const count = 3_000 // 3 MB and more, beyond the bound and what the kernel keeps
  for (let id = 1; id <= count; id++) {
    trace.tell(tracedMessage(id, 'flood', { payload }))
    if (id % 50 === 0) await new Promise(setImmediate)
  }
  const dropped = counters.get('controlBacklogBytesMax')
  assert.ok(dropped > 0 && dropped < count, `${dropped}`)
  await until('the quick one has all', () => messagesOf(quick, 'flood') === count)
  slow.read()
  await until('the slow one is told', () => slow.answers.some((answer) => 'dropped' in answer))
  const told = slow.answers.flatMap((answer) => ('dropped' in answer ? [answer['dropped'] as number] : []))
  assert.equal(
    told.reduce((sum, amount) => sum + amount, 0),
    dropped,
  )
  assert.equal(messagesOf(slow, 'flood'), count - dropped)
  trace.tell(tracedMessage(count + 1, 'after'))
  await until('it goes on', () => messagesOf(slow, 'after') === 1)
  for (const talker of [slow, quick]) talker.socket.destroy()
})

function messagesOf(talker: Talker, topic: string): number {
  return talker.answers.filter((answer) => (answer['message'] as { topic?: string })?.topic === topic).length
}

test('requests whose answers nobody reads are left where they are', async (context) => {
  const { path } = await startControl(context)
  const talker = await Talker.to(path, { reads: false })
  const many = 20_000
  const before = process.memoryUsage().rss
  talker.socket.write('{"get":"status"}\n'.repeat(many))
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.ok('pins' in ((await oneAnswer(path)) ?? {}), 'others are served')
  assert.ok(process.memoryUsage().rss - before < 50 * 2 ** 20)
  talker.socket.destroy()
})

test('a watcher that goes in whatever way ends the trace', async (context) => {
  const { path, trace } = await startControl(context)
  const ways: Record<string, (talker: Talker) => void> = {
    'it closes': (talker) => talker.socket.destroy(),
    'it closes its half, and waits': (talker) => talker.socket.end(),
    'it closes with unread answers': (talker) => {
      talker.socket.pause()
      trace.tell(tracedMessage(1, 'a'))
      talker.socket.destroy()
    },
    'it goes in the middle of a request': (talker) => {
      talker.socket.write('{"get":')
      talker.socket.destroy()
    },
  }
  for (const [what, leave] of Object.entries(ways)) {
    const talker = await Talker.to(path)
    await talker.ask({ watch: 'trace', filter: 'a/+' })
    assert.equal(trace.isOn, true, what)
    leave(talker)
    await until(what, () => !trace.isOn)
    trace.tell(tracedMessage(2, 'a/b'))
  }
})

test('a second filter takes the place of the first', async (context) => {
  const { path, trace } = await startControl(context)
  const talker = await Talker.to(path)
  assert.deepEqual(await talker.ask({ watch: 'trace', filter: 'a' }), {
    protocol: 1,
    trace: 'a',
    name: 'test',
  })
  talker.socket.write('{"watch":"trace","filter":"b"}\n')
  await until('it is there', () => talker.answers.length === 4) // rules follow each
  for (const topic of ['a', 'b']) trace.tell(tracedMessage(1, topic))
  await talker.answer(4)
  assert.deepEqual([messagesOf(talker, 'a'), messagesOf(talker, 'b')], [0, 1])
  talker.socket.destroy()
})

test('a watcher of the pins is told each pin as it changes, who did it, and when it is gone', async (context) => {
  const { path, board } = await startControl(context)
  const talker = await Talker.to(path)
  await talker.ask({ watch: 'pins' })
  board.set('lamp', 'on', { by: 'client esp32' })
  const { pin } = (await talker.answer(1)) as { pin: PinFields }
  assert.deepEqual([pin['name'], pin['state'], pin['by']], ['lamp', 'on', 'client esp32'])
  board.set('lamp', 'off', { chain: ['a', 'b'] })
  assert.equal(((await talker.answer(2)) as { pin: PinFields }).pin['by'], 'rule b')
  await board.apply([input('door', 27)])
  await until('both are told', () => talker.answers.length === 5)
  const rest = talker.answers.slice(3)
  assert.ok(rest.some((answer) => answer['removed'] === 'lamp'))
  assert.ok(rest.some((answer) => (answer['pin'] as PinFields)?.['name'] === 'door'))
  talker.socket.destroy()
})

test('a pin that flutters is told now and then, and as it is at the end', async (context) => {
  const { path, board } = await startControl(context)
  await board.apply([output('lamp', 17), output('fan', 18)])
  const talker = await Talker.to(path)
  await talker.ask({ watch: 'pins' })
  for (let count = 0; count < 5_001; count++) board.set('lamp', 'toggle')
  const last = () => talker.answers.at(-1)?.['pin'] as PinFields | undefined
  await until('the last state', () => last()?.['state'] === 'on' && last()?.['name'] === 'lamp')
  await new Promise((resolve) => setTimeout(resolve, 250))
  assert.ok(talker.answers.length < 10, `${talker.answers.length}`)
  talker.socket.destroy()
})

test('of pins nobody reads only the latest is kept, and who asks and ends gets all answers', async (context) => {
  const { path, board } = await startControl(context)
  const talker = await Talker.to(path, { reads: false })
  talker.socket.end('{"watch":"pins"}\n'.repeat(5_000))
  for (let count = 0; count < 1_000; count++) {
    board.set('lamp', 'toggle')
    if (count % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  board.set('lamp', 'on')
  talker.read()
  await until('the end', () => talker.isClosed)
  const told = talker.answers.filter((answer) => 'pins' in answer)
  assert.equal(told.length, 5_000)
  assert.equal((told[4_999]?.['pins'] as PinFields[] | undefined)?.[0]?.['state'], 'on')
})

test('a close ends every connection at once, also one that does not read, and takes the file away', async (context) => {
  const { path, server, trace } = await startControl(context)
  const talkers = [await Talker.to(path), await Talker.to(path, { reads: false })]
  for (const talker of talkers) talker.socket.write('{"watch":"trace"}\n')
  await until('they watch', () => talkers[0]?.answers.length === 2)
  for (let id = 0; id < 2_000; id++) trace.tell(tracedMessage(id, 'a', { payload: Buffer.alloc(1_000) }))
  await server.close()
  assert.deepEqual(await readdir(dirname(path)), [])
  for (const talker of talkers) talker.read()
  await until('they notice', () => talkers.every(({ isClosed }) => isClosed))
  assert.equal(trace.isOn, false)
})

test('without a place for its socket the house lives on, and the log says why', async (context) => {
  const folder = await tempFolder(context)
  await writeFile(join(folder, 'control.sock'), 'mine')
  const places = [
    join(folder, 'control.sock'),
    join(folder, 'nothing/control.sock'),
    join(folder, 'x'.repeat(200)),
  ]
  const reasons = [/is no socket/, /ENOENT/, /107/]
  const { board } = await startControl(context)
  for (const [index, path] of places.entries()) {
    const world = new ControlWorld(path, board)
    await world.server.open()
    assert.match(String(world.log.lines[0]?.fields['reason']), reasons[index] as RegExp)
    await world.server.close()
  }
})
