import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { httpAction } from '#src/actions/http.js'
import { limits } from '#src/core/limits.js'
import { untrusted } from '../support/actions-certificate.js'
import { complaints, makeWorld, type World } from '../support/actions-world.js'

interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A web server that notes what it is asked. */
async function serve(answer: (response: ServerResponse, request: Seen, count: number) => void) {
  const seen: Seen[] = []
  const listener: RequestListener = async (request, response) => {
    const { method, url, headers } = request
    const noted = { method, url, headers, body: await text(request) }
    seen.push(noted)
    answer(response, noted, seen.length)
  }
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function failure(world: World, step: object, signal?: AbortSignal): Promise<string> {
  const error = await world.run(httpAction, step, signal === undefined ? {} : { signal }).then(
    () => assert.fail('it did not fail'),
    (reason) => reason,
  )
  assert.equal(error.code, 'HTTP_FAILED')
  return error.message
}

test('http posts JSON', async () => {
  await using world = await makeWorld()
  await using server = await serve((response) => response.end())
  await world.run(httpAction, { http: `${server.url}/hook?a=b`, json: { where: 'cellar', t: 31 } })
  const [seen] = server.seen
  assert.equal(`${seen?.method} ${seen?.url} ${seen?.body}`, 'POST /hook?a=b {"where":"cellar","t":31}')
  assert.equal(seen?.headers['content-type'], 'application/json')
})

test('http gets when there is no body, and sends text and headers as told', async () => {
  await using world = await makeWorld()
  await using server = await serve((response) => response.writeHead(204).end())
  await world.run(httpAction, { http: server.url, headers: { 'X-Key': 'k', 'X-Count': 2 } })
  await world.run(httpAction, { http: server.url, method: 'PUT', text: 'grün' })
  await world.run(httpAction, { http: server.url, text: '<a/>', headers: { 'Content-Type': 'text/xml' } })
  await world.run(httpAction, { http: server.url, text: new Uint8Array([104, 105]) })
  const facts = server.seen.map(({ method, headers, body }) => [method, headers['content-type'], body])
  assert.deepEqual(facts, [
    ['GET', undefined, ''],
    ['PUT', 'text/plain; charset=utf-8', 'grün'],
    ['POST', 'text/xml', '<a/>'],
    ['POST', 'application/octet-stream', 'hi'],
  ])
  assert.deepEqual([server.seen[0]?.headers['x-key'], server.seen[0]?.headers['x-count']], ['k', '2'])
})

test('http publishes the answer', async () => {
  await using world = await makeWorld()
  await using server = await serve((response) => response.end('{"t":4}'))
  await world.run(httpAction, { http: server.url, publish: 'weather' })
  assert.deepEqual(String(world.published[0]?.payload), '{"t":4}')
  assert.deepEqual(world.published[0]?.chain, ['a rule'])
})

test('http publishes an answer at the limit and fails past it', async () => {
  await using world = await makeWorld()
  const most = limits.httpAnswerBytesMax
  await using server = await serve((response, { url }) =>
    response.end(Buffer.alloc(Number(url?.slice(1)), 'x')),
  )
  await world.run(httpAction, { http: `${server.url}/${most}`, publish: 'a' })
  assert.equal(world.published[0]?.payload.length, most)
  const message = await failure(world, { http: `${server.url}/${most + 1}`, publish: 'a' })
  assert.match(message, /more than 65536 bytes; nothing was published/)
  assert.equal(world.published.length, 1)
  assert.equal(world.counters.get('httpAnswerBytesMax'), 1)
})

test('http stops reading an answer without end that nobody wants', async () => {
  await using world = await makeWorld()
  await using server = await serve((response) => {
    const more = (): void => {
      while (!response.closed && response.write(Buffer.alloc(16_384))) {}
    }
    response.on('drain', more)
    more()
  })
  await world.run(httpAction, { http: server.url, json: 1 })
  assert.equal(server.seen.length, 1)
})

test('http tries again after 5xx, 429 and a connection that breaks', async () => {
  await using world = await makeWorld()
  await using server = await serve((response, _, count) => {
    if (count === 1) response.writeHead(503).end('busy')
    else if (count === 2) response.writeHead(429, { 'Retry-After': '0' }).end()
    else if (count === 3) response.socket?.resetAndDestroy()
    else response.end('fine')
  })
  await world.run(httpAction, { http: server.url, json: { n: 1 }, publish: 'a' })
  assert.equal(String(world.published[0]?.payload), 'fine')
  assert.deepEqual(
    server.seen.map(({ body }) => body),
    Array(4).fill('{"n":1}'),
  )
})

test('http gives up after the retries it was given, and tells status and answer', async () => {
  await using world = await makeWorld()
  await using server = await serve((response) => response.writeHead(500).end('out of\ncheese'))
  const message = await failure(world, { http: `${server.url}/secret?key=secret`, json: 1, retries: 1 })
  assert.equal(message, `POST ${server.url}: answered 500 Internal Server Error: out of cheese (2 attempts)`)
  assert.equal(server.seen.length, 2)
  await failure(world, { http: server.url, retries: 0 })
  assert.equal(server.seen.length, 3)
})

test('http does not try again what was refused', async () => {
  await using world = await makeWorld()
  await using server = await serve((response) => response.writeHead(404).end('x'.repeat(100_000)))
  const message = await failure(world, { http: server.url })
  assert.match(message, /answered 404 Not Found: x{200}…$/)
  assert.equal(server.seen.length, 1)
})

test('http ends with its step while a server keeps it waiting, and while it waits to try again', async () => {
  await using world = await makeWorld()
  await using hanging = await serve(() => {})
  await using slow = await serve((response) => response.writeHead(200).write('a'))
  await using busy = await serve((response) => response.writeHead(503, { 'Retry-After': '3600' }).end())
  for (const { url } of [hanging, slow, busy]) {
    const message = await failure(world, { http: url }, AbortSignal.timeout(100))
    assert.match(message, /: no answer before the step was ended/)
  }
  assert.equal(busy.seen.length, 1)
})

test('http follows redirects of GET, and leaves the headers at the host for which they were written', async () => {
  await using world = await makeWorld()
  await using other = await serve((response) => response.end('other'))
  await using server = await serve((response, { url }) => {
    if (url === '/away') response.writeHead(302, { Location: `${other.url}/there` }).end()
    else if (url === '/here') response.writeHead(301, { Location: '/end' }).end()
    else response.end('here')
  })
  const headers = { authorization: 'Bearer secret' }
  await world.run(httpAction, { http: `${server.url}/here`, headers, publish: 'a' })
  await world.run(httpAction, { http: `${server.url}/away`, headers, publish: 'a' })
  assert.deepEqual(
    world.published.map(({ payload }) => String(payload)),
    ['here', 'other'],
  )
  assert.equal(server.seen[1]?.headers.authorization, 'Bearer secret')
  assert.equal(other.seen[0]?.headers.authorization, undefined)
})

test('http does not follow redirects of POST, to other protocols, or in a circle', async () => {
  await using world = await makeWorld()
  await using server = await serve((response, { url }) => {
    const location = url === '/file' ? 'file:///etc/passwd' : '/circle'
    response.writeHead(302, { Location: location }).end()
  })
  assert.match(await failure(world, { http: server.url, json: 1 }), /write the new address in http:/)
  assert.equal(server.seen.length, 1)
  assert.match(await failure(world, { http: `${server.url}/file` }), /which is not followed/)
  assert.match(await failure(world, { http: `${server.url}/circle` }), /redirects more than 5 times/)
  assert.equal(server.seen.length, 2 + 6)
})

test('http tells plainly why there is no connection, and no secret with it', async () => {
  await using world = await makeWorld()
  const tcp = createTcpServer((socket) => {
    socket.on('error', () => {}).resume()
    socket.end('SSH-2.0-OpenSSH\r\n')
  }).listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const { port } = tcp.address() as AddressInfo
  const step = { retries: 0, headers: { authorization: 'Bearer secret' } }
  const speaking = await failure(world, {
    http: `http://me:secret@127.0.0.1:${port}/secret?k=secret`,
    ...step,
  })
  const tls = await failure(world, { http: `https://127.0.0.1:${port}/secret`, ...step })
  tcp.close()
  await once(tcp, 'close')
  const refusing = await failure(world, { http: `http://127.0.0.1:${port}/secret`, ...step })
  const nowhere = await failure(world, { http: 'http://damselfly.invalid/secret', ...step })
  assert.match(speaking, /does not answer in HTTP \(HPE_/)
  assert.match(tls, /does not speak TLS as we do/)
  assert.equal(
    refusing,
    `GET http://127.0.0.1:${port}: 127.0.0.1:${port} refuses the connection (ECONNREFUSED)`,
  )
  assert.match(nowhere, /damselfly\.invalid \((ENOTFOUND|EAI_AGAIN)\)|damselfly\.invalid has \(EAI_AGAIN\)/)
  for (const message of [speaking, tls, refusing, nowhere]) assert.doesNotMatch(message, /secret/)
})

test('http does not speak to a server whose certificate nobody vouches for', async () => {
  await using world = await makeWorld()
  let requests = 0
  const server = createSecureServer(untrusted, (_, response) => {
    requests++
    response.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const message = await failure(world, { http: `https://127.0.0.1:${port}/`, json: 1 })
  server.close()
  assert.match(message, /the certificate of 127\.0\.0\.1:\d+ is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/)
  assert.equal(requests, 0)
})

test('http refuses addresses, headers and bodies that cannot be sent', () => {
  const http = 'https://example.org/'
  const refused = [
    { http: 'example.org' },
    { http: 'ftp://example.org/' },
    { http: 5 },
    { http, method: 'TRACE' },
    { http, method: 'GET', json: 1 },
    { http, json: 1, text: 'a' },
    { http, retries: 11 },
    { http, retries: -1 },
    { http, headers: { 'a b': 'c' } },
    { http, headers: { a: 'b\r\nc: d' } },
    { http, headers: { 'Content-Length': 5 } },
    { http, publish: '#' },
    { http, body: 'a' },
  ]
  for (const step of refused) assert.equal(complaints(httpAction, step).length, 1, JSON.stringify(step))
  assert.deepEqual(complaints(httpAction, { http, method: 'DELETE', retries: 10 }), [])
})
