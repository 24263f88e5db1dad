import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { execAction } from '#src/actions/exec.js'
import { tickOf } from '#src/core/event.js'
import { limits } from '#src/core/limits.js'
import { complaints, makeWorld, parse, type World } from '../support/actions-world.js'

/** The text that a step's program writes, as it is published. */
async function outputOf(world: World, step: object, options = {}): Promise<string> {
  await world.run(execAction(), { publish: 'out', ...step }, options)
  return String(world.published.at(-1)?.payload)
}

function shell(script: string): { exec: string[] } {
  return { exec: ['/bin/sh', '-c', script] }
}

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await isDone()) return
    await sleep(20)
  }
  assert.fail('it does not happen')
}

/** A zombie, which waits for its parent to look, has ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Pids written to a file, one a line, killed at the end of the test whatever happens. */
async function pidsIn(file: string, count: number, t: TestContext): Promise<number[]> {
  let pids: number[] = []
  await until(async () => {
    const text = await readFile(file, 'utf8').catch(() => '')
    pids = text.split('\n').filter(Boolean).map(Number)
    return pids.length === count && text.endsWith('\n')
  })
  t.after(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  return pids
}

test('exec gives a program its arguments as they are, without a shell', async () => {
  await using world = await makeWorld()
  const args = ['a b', '$(id)', '; rm', '*', 21.5, true, null, { a: 1 }]
  const output = await outputOf(world, { exec: ['/usr/bin/printf', '[%s]', ...args] })
  assert.equal(output, '[a b][$(id)][; rm][*][21.5][true][][{"a":1}]')
})

test('when memory is used up the kernel ends a program before the daemon that started it', async () => {
  await using world = await makeWorld()
  // it reads what comes after the program has begun
  const output = await outputOf(world, shell('sleep 0.2; cat /proc/self/oom_score_adj'))
  assert.equal(output, '1000')
  assert.notEqual(readFileSync('/proc/self/oom_score_adj', 'utf8').trim(), '1000')
})

test('exec gives the payload on standard input, byte for byte', async () => {
  await using world = await makeWorld()
  const payload = Buffer.from([0, 255, 10, 128])
  await world.run(execAction(), { exec: ['cat'], publish: 'out' }, { payload })
  assert.deepEqual(world.published[0]?.payload, payload)
})

test('exec publishes the output without its last newline', async () => {
  await using world = await makeWorld()
  const outputs: string[] = []
  for (const text of ['a\\n', 'a\\r\\n', 'a\\n\\n', 'a', '', '\\n'])
    outputs.push(await outputOf(world, { exec: ['printf', text] }))
  assert.deepEqual(outputs, ['a', 'a', 'a\n', 'a', '', ''])
  assert.deepEqual(world.published[0]?.chain, ['a rule'])
})

test('exec without publish throws the output away', async () => {
  await using world = await makeWorld()
  await world.run(execAction(), { exec: ['echo', 'hello'] })
  assert.deepEqual(world.published, [])
})

test('exec shows the program nothing of our environment but what is documented', async (t) => {
  await using world = await makeWorld()
  process.env['MQTT_PASSWORD'] = 'secret'
  t.after(() => delete process.env['MQTT_PASSWORD'])
  const lines = (await outputOf(world, { exec: ['env'], env: { COLOUR: 'red' } })).split('\n')
  // @NOTE Node hands this one on by itself while coverage is measured
  const names = lines.map((line) => line.split('=')[0]).filter((name) => name !== 'NODE_V8_COVERAGE')
  const expected = ['COLOUR', 'DAMSELFLY_RULE', 'HOME', 'LANG', 'MQTT_CLIENT', 'MQTT_QOS', 'MQTT_RETAIN']
  assert.deepEqual(names.sort(), [...expected, 'MQTT_TOPIC', 'PATH'])
  for (const line of ['MQTT_TOPIC=home/door', 'MQTT_CLIENT=sensor', 'MQTT_QOS=1', 'MQTT_RETAIN=false'])
    assert.ok(lines.includes(line), line)
  assert.ok(lines.includes('DAMSELFLY_RULE=a rule'))
})

test('exec for a moment without a message has no MQTT variables and an empty input', async () => {
  await using world = await makeWorld()
  const action = execAction()
  const step = parse(action, { ...shell('env | grep -c MQTT; wc -c'), publish: 'out' })
  const event = tickOf({ host: 'pi', ip: '' })
  await world.host.runnerFor(action, 'clock')(step, event, () => new AbortController().signal, [])
  assert.equal(String(world.published[0]?.payload), '0\n0')
})

test('exec runs the program in the folder that is asked for', async () => {
  await using world = await makeWorld()
  assert.equal(await outputOf(world, { exec: ['pwd'], cwd: '/usr' }), '/usr')
})

test('a program that does not read its input is no failure', async () => {
  await using world = await makeWorld()
  const payload = Buffer.alloc(1024 * 1024, 'x')
  await world.run(execAction(), { exec: ['true'] }, { payload })
  assert.equal(await outputOf(world, shell('exec <&-; sleep 0.1; echo done'), { payload }), 'done')
})

test('a program that fails tells its exit code and what it complained about last', async () => {
  await using world = await makeWorld()
  const step = shell('echo first >&2; for i in 1 2 3; do echo line $i >&2; done; exit 3')
  await assert.rejects(world.run(execAction(), step), {
    code: 'EXEC_FAILED',
    message: '/bin/sh ended with exit code 3: line 1 | line 2 | line 3',
  })
  await assert.rejects(world.run(execAction(), { exec: ['false'], publish: 'out' }), {
    code: 'EXEC_FAILED',
    message: 'false ended with exit code 1',
  })
  assert.deepEqual(world.published, [])
})

test('a program that complains without end is told in one short line', async () => {
  await using world = await makeWorld()
  const step = shell('head -c 3000000 /dev/zero | tr "\\0" x >&2; exit 1')
  await assert.rejects(world.run(execAction(), step), ({ message }: Error) => message.length < 1_100)
})

test('a program that crashes tells the signal', async () => {
  await using world = await makeWorld()
  await assert.rejects(world.run(execAction(), shell('kill -SEGV $$')), {
    code: 'EXEC_FAILED',
    message: '/bin/sh was ended by SIGSEGV',
  })
})

test('exec says which program was looked for and where, and why it does not start', async () => {
  await using world = await makeWorld()
  const [script, plain] = [join(world.dataDir, 'script'), join(world.dataDir, 'plain')]
  await writeFile(script, '#!/no/interpreter\n')
  await chmod(script, 0o755)
  await writeFile(plain, 'hello')
  const causes: readonly [step: object, message: RegExp][] = [
    [{ exec: ['no-such-program'] }, /^no-such-program is in none of the folders .*:\/usr\/bin:/],
    [{ exec: ['/no/such/program'] }, /^\/no\/such\/program cannot start: there is no such file$/],
    [{ exec: [script] }, /interpreter in its first line \(#!\) does not exist$/],
    [{ exec: [plain] }, /is not executable/],
    [{ exec: ['true'], cwd: '/no/folder' }, /its folder \/no\/folder does not exist$/],
    [{ exec: ['true', 'x'.repeat(3_000_000)] }, /^true cannot start: .*E2BIG/],
  ]
  for (const [step, message] of causes)
    await assert.rejects(world.run(execAction(), step), { code: 'EXEC_FAILED', message })
})

test('exec publishes an output at the limit and fails past it', async () => {
  await using world = await makeWorld()
  const most = limits.execOutputBytesMax
  const write = (bytes: number) => ({ exec: ['head', '-c', bytes, '/dev/zero'] })
  assert.equal((await outputOf(world, write(most))).length, most)
  await assert.rejects(outputOf(world, write(most + 1)), { code: 'EXEC_FAILED', limit: 'execOutputBytesMax' })
  assert.equal(world.published.length, 1)
  assert.equal(world.counters.get('execOutputBytesMax'), 1)
})

test('a program that writes without end is ended', async () => {
  await using world = await makeWorld()
  await assert.rejects(outputOf(world, { exec: ['yes'] }), { limit: 'execOutputBytesMax' })
})

test('an abort ends the program and all that it started', async (t) => {
  await using world = await makeWorld()
  const file = join(world.dataDir, 'pids')
  const abort = new AbortController()
  const step = shell(`sleep 60 & echo $! >> ${file}; echo $$ >> ${file}; wait`)
  const run = assert.rejects(world.run(execAction(), step, { signal: abort.signal }), { code: 'EXEC_FAILED' })
  const pids = await pidsIn(file, 2, t)
  abort.abort()
  await run
  await until(() => !pids.some(isAlive))
})

test('an abort kills a program that does not listen to SIGTERM', async (t) => {
  await using world = await makeWorld()
  const file = join(world.dataDir, 'pids')
  const abort = new AbortController()
  const step = shell(`trap '' TERM; echo $$ >> ${file}; while :; do sleep 0.1; done`)
  const run = assert.rejects(world.run(execAction(), step, { signal: abort.signal }), { code: 'EXEC_FAILED' })
  const pids = await pidsIn(file, 1, t)
  abort.abort()
  await run
  await until(() => !pids.some(isAlive))
})

test('a run that is aborted already starts nothing', async () => {
  await using world = await makeWorld()
  const file = join(world.dataDir, 'trace')
  const step = { exec: ['touch', file] }
  await assert.rejects(world.run(execAction(), step, { signal: AbortSignal.abort() }), {
    code: 'EXEC_FAILED',
  })
  await assert.rejects(readFile(file), { code: 'ENOENT' })
})

test('what a program leaves behind ends with it and does not hold up the step', async (t) => {
  await using world = await makeWorld()
  const file = join(world.dataDir, 'pids')
  assert.equal(await outputOf(world, shell(`sleep 60 & echo $! >> ${file}; echo done`)), 'done')
  const pids = await pidsIn(file, 1, t)
  await until(() => !pids.some(isAlive))
})

test('a process that leaves the group and keeps the pipes open does not hold up the step', async (t) => {
  await using world = await makeWorld()
  const file = join(world.dataDir, 'pids')
  const script = `setsid sh -c 'echo $$ >> ${file}; exec sleep 60' & while [ ! -s ${file} ]; do sleep 0.02; done; echo done`
  assert.equal(await outputOf(world, shell(script)), 'done')
  await pidsIn(file, 1, t)
})

test('a stop kills at once what has not ended yet', async (t) => {
  const world = await makeWorld()
  const file = join(world.dataDir, 'pids')
  const abort = new AbortController()
  const step = shell(`trap '' TERM; echo $$ >> ${file}; while :; do sleep 0.1; done`)
  const run = assert.rejects(world.run(execAction(), step, { signal: abort.signal }), { code: 'EXEC_FAILED' })
  const pids = await pidsIn(file, 1, t)
  abort.abort()
  await world[Symbol.asyncDispose]()
  await run
  assert.ok(!pids.some(isAlive))
})

test('exec refuses a command line and shows the list', () => {
  assert.deepEqual(complaints(execAction(), { exec: 'aplay alarm.wav' }), [
    'the program and its arguments as a list, for no shell reads it: exec: [aplay, alarm.wav]',
  ])
})

test('exec refuses a list without a program, a relative path, U+0000 and odd variables', () => {
  const refused = [
    { exec: [] },
    { exec: [''] },
    { exec: ['./script.sh'] },
    { exec: ['bin/script.sh'] },
    { exec: ['true', 'a\0b'] },
    { exec: ['true'], cwd: 'relative' },
    { exec: ['true'], env: { 'A=B': '1' } },
    { exec: ['true'], publish: 'a/#' },
    { exec: ['true'], shell: true },
  ]
  for (const step of refused) assert.equal(complaints(execAction(), step).length, 1, JSON.stringify(step))
})
