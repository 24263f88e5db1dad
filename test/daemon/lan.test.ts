import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startDaemon, type TestDaemon } from '../support/daemon.js'
import { twoHosts } from '../support/netns.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const run = promisify(execFile)
const skip = missing('root', 'ip', 'mosquitto_pub')

interface Outcome {
  readonly isOk: boolean
  readonly stderr: string
}

/** Publishes from a namespace with the ordinary client. */
async function publish(
  netns: string,
  host: string,
  port: number,
  more: readonly string[] = [],
): Promise<Outcome> {
  try {
    await run(
      'ip',
      [
        'netns',
        'exec',
        netns,
        'mosquitto_pub',
        '-h',
        host,
        '-p',
        `${port}`,
        '-t',
        'ask',
        '-m',
        'x',
        '-q',
        '1',
        ...more,
      ],
      { timeout: 5_000 },
    )
    return { isOk: true, stderr: '' }
  } catch (error) {
    return { isOk: false, stderr: String((error as { stderr?: string }).stderr) }
  }
}

const listensOn = (daemon: TestDaemon, address: string) =>
  until(
    `listening on ${address}`,
    () => ((daemon.having('listening').at(-1)?.['addresses'] ?? []) as string[]).includes(address),
    15_000,
  )

const yaml = 'rules: [{ on: ask, do: { log: "heard" } }]'

test('a client on the LAN is refused with the remedy in the log; with credentials and SIGHUP it is heard', {
  skip,
}, async (context) => {
  const { server, client, ip } = twoHosts(context)
  ip('addr', 'add', '10.77.0.1/24', 'dev', 'lan0')
  const daemon = await startDaemon(context, { netns: server, bind: 'lan', yaml })
  const ready = await daemon.logged('ready')
  assert.ok((ready['addresses'] as string[]).includes('10.77.0.1'))
  const refused = await publish(client, '10.77.0.1', daemon.port)
  assert.match(refused.stderr, /not authorised/i)
  const line = await daemon.logged('client refused')
  assert.equal(line['address'], '10.77.0.9')
  assert.match(String(line['remedy']), /MQTT_USERNAME=.*MQTT_PASSWORD=/s)

  await daemon.write(
    '.env',
    `PORT=${daemon.port}\nNAME=test\nGPIO_CHIP=simulated\nMQTT_USERNAME=house\nMQTT_PASSWORD=key\n`,
  )
  await daemon.reload()
  assert.equal((await publish(client, '10.77.0.1', daemon.port, ['-u', 'house', '-P', 'wrong'])).isOk, false)
  assert.equal((await publish(client, '10.77.0.1', daemon.port, ['-u', 'house', '-P', 'key'])).isOk, true)
  await daemon.logged('heard')
  // this machine needs no password, also by its LAN address
  assert.equal((await publish(server, '127.0.0.1', daemon.port)).isOk, true)
  assert.equal((await publish(server, '10.77.0.1', daemon.port)).isOk, true)
})

test('no LAN at the start, then one, then another address: reachable each time at the right one', {
  skip,
}, async (context) => {
  const { server, client, ip } = twoHosts(context)
  const daemon = await startDaemon(context, { netns: server, bind: 'lan', yaml, env: 'ALLOW_ANONYMOUS=true' })
  assert.equal((await publish(server, '127.0.0.1', daemon.port)).isOk, true)
  assert.equal((await publish(client, '10.77.0.1', daemon.port)).isOk, false)

  ip('addr', 'add', '10.77.0.1/24', 'dev', 'lan0')
  await listensOn(daemon, '10.77.0.1')
  assert.equal((await publish(client, '10.77.0.1', daemon.port)).isOk, true)

  ip('addr', 'del', '10.77.0.1/24', 'dev', 'lan0')
  ip('addr', 'add', '10.77.0.2/24', 'dev', 'lan0')
  await listensOn(daemon, '10.77.0.2')
  assert.equal((await publish(client, '10.77.0.2', daemon.port)).isOk, true)
  assert.equal((await publish(client, '10.77.0.1', daemon.port)).isOk, false)
  await until('all were heard', () => daemon.having('heard').length === 3)
})
