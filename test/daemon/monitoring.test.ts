import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { freePort, startDaemon } from '../support/daemon.js'
import { listenOn } from '../support/listen-on.js'
import { until } from '../support/until.js'

test('metrics and health are told where the settings want it, and follow them', async (context) => {
  const [first, second] = [await freePort(), await freePort()]
  const daemon = await startDaemon(context, { env: `HTTP_PORT=${first}` })
  const client = await daemon.connect()
  await client.publishAsync('a', 'four', { qos: 1, retain: true })
  const answer = await fetch(`http://127.0.0.1:${first}/metrics`)
  const text = await answer.text()
  for (const line of [
    /^damselfly_clients_connected 1$/m,
    /^damselfly_messages_received_total 1$/m,
    /^damselfly_payload_bytes_received_total 4$/m,
    /^damselfly_connects_received_total 1$/m,
    /^damselfly_info\{version="\S+",name="test"\} 1$/m,
  ])
    assert.match(text, line)
  const health = await fetch(`http://127.0.0.1:${first}/health`)
  assert.deepEqual([health.status, await health.json()], [200, { status: 'ok', problems: [] }])

  const dotenv = (port: string) =>
    `PORT=${daemon.port}\nBIND=loopback\nNAME=test\nGPIO_CHIP=simulated\n${port}\n`
  await daemon.write('.env', dotenv(`HTTP_PORT=${second}`))
  await daemon.reload()
  await until('the second is open', async () => !(await isRefused(second)))
  await until('the first is closed', () => isRefused(first))
  await daemon.write('.env', dotenv(''))
  await daemon.reload()
  await until('the second is closed', () => isRefused(second))
  assert.equal(await daemon.stop(), 0)
})

test('SYS_INTERVAL holds from a reload on, and 0 clears what stood there', async (context) => {
  const daemon = await startDaemon(context)
  const found = async (): Promise<number> => {
    const client = await daemon.connect()
    let count = 0
    client.on('message', () => count++)
    await client.subscribeAsync(['$SYS/#', 'end'])
    await client.publishAsync('end', '', { qos: 1 })
    await until('all that is retained has come', () => count > 0)
    await client.endAsync()
    return count - 1
  }
  assert.ok((await found()) > 50)
  const dotenv = `PORT=${daemon.port}\nBIND=loopback\nNAME=test\nGPIO_CHIP=simulated\n`
  await daemon.write('.env', `${dotenv}SYS_INTERVAL=0\n`)
  await daemon.reload()
  await until('nothing stands there', async () => (await found()) === 0)
})

test('a port that is taken is told in the log, and the house lives', async (context) => {
  const port = await listenOn(context, createServer())
  const daemon = await startDaemon(context, { env: `HTTP_PORT=${port}` })
  const [line] = daemon.having('no metrics over HTTP: nothing listens there')
  assert.match(String(line?.['reason']), /EADDRINUSE|in use/)
})

test('a house whose broker elsewhere is not connected is not well', async (context) => {
  const [port, nobody] = [await freePort(), await freePort()]
  await startDaemon(context, { attachedTo: `mqtt://127.0.0.1:${nobody}`, env: `HTTP_PORT=${port}` })
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  assert.equal(health.status, 503)
  assert.match(await health.text(), /the broker is mqtt:\/\/127\.0\.0\.1:\d+ \(/)
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  assert.doesNotMatch(metrics, /damselfly_clients_connected/)
})

/** Whether nobody answers there. */
async function isRefused(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
  await answer?.arrayBuffer()
  return answer === undefined
}
