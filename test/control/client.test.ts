import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { askDaemon } from '#src/control/client.js'
import type { ControlRequest } from '#src/control/protocol.js'
import { limits } from '#src/core/limits.js'
import { startControl, Talker } from '../support/control.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

async function answers(path: string, request: ControlRequest, signal?: AbortSignal): Promise<object[]> {
  const found: object[] = []
  for await (const answer of askDaemon(path, request, signal)) {
    found.push(answer)
    if ('get' in request) break
  }
  return found
}

const failing = (code: string) => (error: unknown) => (error as { code?: string }).code === code

/** A daemon that says this to everybody, and ends. */
async function saying(context: TestContext, text: string): Promise<string> {
  const path = join(await tempFolder(context), 's')
  const server = createServer((socket) => socket.on('error', () => {}).end(text)).listen(path)
  await once(server, 'listening')
  context.after(() => server.close())
  return path
}

test('answers come one by one until the asker has enough, aborts, or the daemon ends', async (context) => {
  const { path, trace, server } = await startControl(context)
  assert.equal((await answers(path, { get: 'pins' })).length, 1)
  for await (const answer of askDaemon(path, { watch: 'trace' })) {
    assert.ok('trace' in answer)
    break
  }
  await until('it is left', () => !trace.isOn)

  const end = new AbortController()
  const aborted = answers(path, { watch: 'trace' }, end.signal)
  await until('it watches', () => trace.isOn)
  end.abort()
  assert.equal((await aborted).length, 2)
  assert.deepEqual(await answers(path, { watch: 'pins' }, AbortSignal.abort()), [])

  const ended = answers(path, { watch: 'trace' })
  await until('it watches', () => trace.isOn)
  await server.close()
  assert.equal((await ended).length, 2)
})

test('nobody there, an impossible path, and a refusal are told apart', async (context) => {
  const folder = await tempFolder(context)
  await assert.rejects(answers(join(folder, 'none'), { get: 'status' }), failing('DAEMON_UNREACHABLE'))
  await assert.rejects(
    answers(join(folder, 'x'.repeat(108)), { get: 'status' }),
    failing('CONNECTION_REFUSED'),
  )
  const { path } = await startControl(context)
  await assert.rejects(answers(path, { watch: 'trace', filter: 'a#' }), failing('CONNECTION_REFUSED'))
  const watchers = await Promise.all(Array.from({ length: limits.controlWatchersMax }, () => Talker.to(path)))
  for (const watcher of watchers) await watcher.ask({ watch: 'pins' })
  await assert.rejects(answers(path, { watch: 'trace' }), /refused: 14 connections watch already/)
  for (const watcher of watchers) watcher.socket.destroy()
})

test('somebody else on the socket is no daemon', async (context) => {
  await assert.rejects(
    answers(await saying(context, 'HTTP/1.1 400\n'), { get: 'status' }),
    failing('DAEMON_UNREACHABLE'),
  )
  assert.deepEqual(await answers(await saying(context, ''), { get: 'status' }), [])
})

const nobody = 65_534

test('the group of the socket may ask, others may not', { skip: missing('root') }, async (context) => {
  const { path } = await startControl(context)
  await chmod(dirname(path), 0o755)
  const groups = process.getgroups?.() ?? []
  const as = async (group: number): Promise<number> => {
    process.setgroups?.([group])
    process.setegid?.(group)
    process.seteuid?.(nobody)
    try {
      return (await answers(path, { get: 'pins' })).length
    } finally {
      process.seteuid?.(0)
      process.setegid?.(0)
      process.setgroups?.(groups)
    }
  }
  assert.equal(await as(0), 1)
  await assert.rejects(as(nobody), failing('CONNECTION_REFUSED'))
})
