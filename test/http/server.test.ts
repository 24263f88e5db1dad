import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { setLimits } from '#src/core/limits.js'
import { isOwnHost } from '#src/http/own-host.js'
import { HttpServer, type HttpServerOptions } from '#src/http/server.js'
import { freePort } from '../support/daemon.js'
import { MemoryLog } from '../support/memory-log.js'
import { until } from '../support/until.js'

const startedAt = new Date('2026-01-31T08:00:00Z')

/** A server of its own, with what it tells. */
async function httpWorld(context: TestContext, options: Partial<HttpServerOptions> = {}) {
  const counters = new Counters()
  const server = new HttpServer({
    metrics: () => ({
      version: '1.2.3',
      name: 'shed "1"\n',
      startedAt,
      figures: undefined,
      counters: counters.snapshot(),
    }),
    health: async () => [],
    hostName: () => 'shed',
    counters,
    log: new MemoryLog(),
    ...options,
  })
  const port = await freePort()
  await server.open({ address: '127.0.0.1', port })
  context.after(() => server.close())
  return { server, counters, port }
}

interface Answer {
  readonly status: number | undefined
  readonly type: string | undefined
  readonly text: string
}

async function ask(
  port: number,
  path: string,
  options: { method?: string; host?: string } = {},
): Promise<Answer> {
  const { method = 'GET', host } = options
  const headers = host === undefined ? {} : { host }
  const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end()
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode, type: response.headers['content-type'], text }
}

/** Name and labels to value, as the format has it; a line that is neither that nor a comment is an error. */
export function parsed(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.trimEnd().split('\n')) {
    if (/^# (HELP|TYPE) [a-z_]+ ./.test(line) || line === '') continue
    const match = /^([a-zA-Z_:][\w:]*(?:\{(?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)*\})?) (-?[\d.e+-]+|NaN)$/.exec(
      line,
    )
    assert.ok(match, line)
    samples.set(match[1] as string, Number(match[2]))
  }
  return samples
}

test('metrics are text that Prometheus reads, with the counters by their names', async (context) => {
  const { port, counters } = await httpWorld(context)
  counters.add('rules.conditionErrors', 3)
  counters.add('connectionsMax', 2)
  const { status, type, text } = await ask(port, '/metrics?x=1')
  assert.deepEqual([status, type], [200, 'text/plain; version=0.0.4; charset=utf-8'])
  const samples = parsed(text)
  assert.equal(samples.get('damselfly_rules_condition_errors_total'), 3)
  assert.equal(samples.get('damselfly_limit_reached_total{limit="connectionsMax"}'), 2)
  assert.equal(samples.get('damselfly_limit{limit="connectionsMax"}'), 10_240)
  assert.equal(samples.get('process_start_time_seconds'), startedAt.getTime() / 1_000)
  assert.equal(samples.get('damselfly_info{version="1.2.3",name="shed \\"1\\"\\n"}'), 1)
  assert.ok((samples.get('process_resident_memory_bytes') ?? 0) > 2 ** 20)
  const delay = samples.get('damselfly_event_loop_delay_seconds{quantile="0.99"}') ?? -1
  assert.ok(delay >= 0 && delay < 10)
  assert.equal(samples.has('damselfly_clients_connected'), false) // the broker is elsewhere
  assert.deepEqual(parsed((await ask(port, '/metrics')).text).size, samples.size)
})

test('health is 200 when all is well, else 503 with what is not', async (context) => {
  let problems: string[] = []
  let asked = 0
  const { port } = await httpWorld(context, {
    health: async () => {
      asked++
      return problems
    },
  })
  const [well] = await Promise.all([ask(port, '/health'), ask(port, '/health')])
  assert.deepEqual([well.status, well.text], [200, '{"status":"ok","problems":[]}\n'])
  assert.equal(asked, 1)
  problems = ['it listens nowhere']
  await until('it is looked again', async () => (await ask(port, '/health')).status === 503)
  const ill = await ask(port, '/health')
  assert.deepEqual(JSON.parse(ill.text), { status: 'failing', problems: ['it listens nowhere'] })
})

test('anything else is refused', async (context) => {
  const { port } = await httpWorld(context)
  assert.equal((await ask(port, '/')).status, 404)
  assert.equal((await ask(port, '/metrics/../etc/passwd')).status, 404)
  assert.equal((await ask(port, '/metrics', { method: 'POST' })).status, 405)
  assert.equal((await ask(port, '/metrics', { host: 'evil.example' })).status, 421)
  const head = await ask(port, '/metrics', { method: 'HEAD' })
  assert.deepEqual([head.status, head.text], [200, ''])
})

for (const [host, isOwn] of [
  [undefined, true],
  ['192.168.1.5:9883', true],
  ['[fe80::1]:9883', true],
  ['localhost:9883', true],
  ['pi', true],
  ['shed', true],
  ['shed.fritz.box', true],
  ['other.local.', true],
  ['evil.example', false],
  ['shed.evil.example', false],
  ['evil.box', false],
  ['evil.fritz.box', false],
  ['shed-evil.example:9883', false],
  ['local.evil.example', false],
] as const)
  test(`${host} is ${isOwn ? '' : 'not '}taken for a name of shed`, () => {
    assert.equal(isOwnHost(host, 'shed'), isOwn)
  })

test('a host name with a domain counts as a whole', () => {
  assert.equal(isOwnHost('shed.example.org:9883', 'shed.example.org'), true)
  assert.equal(isOwnHost('shed.example.com', 'shed.example.org'), false)
})

test('headers have a bound, and so has the time in which they come', async (context) => {
  const { port } = await httpWorld(context)
  const large = await talk(port, `GET /health HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9_000)}\r\n\r\n`)
  assert.match(large, /^HTTP\/1\.1 431 /)
  const startedMs = performance.now()
  const slow = await talk(port, 'GET /health HTTP/1.1\r\nHost: ')
  assert.match(slow, /^HTTP\/1\.1 408 /)
  assert.ok(performance.now() - startedMs < 9_000)
})

test('of connections there are as many as the bound allows, and not one more', async (context) => {
  setLimits({ httpConnectionsMax: 2 })
  context.after(() => setLimits({}))
  const { port, counters } = await httpWorld(context)
  const sockets: Socket[] = []
  context.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let count = 0; count < 2; count++) {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(socket, 'data')
  }
  assert.equal(counters.get('httpConnectionsMax'), 0)
  assert.equal(await talk(port, 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n'), '')
  await until('it is counted', () => counters.get('httpConnectionsMax') === 1)
})

/** Says it, and gives all that comes until the end. */
async function talk(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(text)
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk
  })
  await once(socket, 'close')
  return heard
}
