import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startDaemon, type TestDaemon } from '../support/daemon.js'
import { type Host, hostsOnOneLan } from '../support/lan-hosts.js'
import { persistent, startMosquitto } from '../support/mosquitto.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const run = promisify(execFile)
const skip = missing('root', 'ip', 'mosquitto', 'mosquitto_pub')

const outageMs = 10_000
const credentials = 'MQTT_USERNAME=house\nMQTT_PASSWORD=key'
const connected = 'connected to the broker'
const lost = 'connection to the broker lost, trying again'

/** The Pi with the button. Its presses are numbered, also while nobody can reach it. */
const pressing = {
  yaml: `
pins: { button: { gpio: 27, in: true, publish: home/button } }
rules:
  - { name: presses, every: 500ms, do: { press: home/press } }
`,
  files: {
    'config/actions/press.js': `let count = 0
export default {
  name: 'press',
  options: (z) => z.object({ press: z.topic() }),
  run: ({ options, publish, log }) => {
    log.info({ n: ++count }, 'pressed')
    return publish({ topic: options.press, payload: String(count), qos: 1 })
  },
}
`,
  },
}

/** The Pi with the lamp. */
const moving = {
  yaml: `
pins: { lamp: { gpio: 17, out: true } }
rules:
  - { name: lamp, on: home/button, do: { gpio: lamp, set: "\${payload}" } }
  - { name: count, on: home/press, do: { log: "press \${payload}" } }
`,
}

/** A broker that can be killed and comes back, on the first host. */
interface FarBroker {
  readonly port: number
  kill(): Promise<void>
  restart(): Promise<void>
}

const brokers: readonly [kind: string, start: (context: TestContext, host: Host) => Promise<FarBroker>][] = [
  ['a third Damselfly', startDamselfly],
  ['mosquitto', startPersistentMosquitto],
]

describe('a button on one Pi moves a pin on another', { concurrency: true, skip }, () => {
  for (const [kind, start] of brokers) {
    test(`through ${kind}, which is killed for ten seconds: nothing that was pressed is lost`, async (t) => {
      const [home, one, two] = hostsOnOneLan(t, 3) as [Host, Host, Host]
      const broker = await start(t, home)
      const attachedTo = `mqtt://${home.address}:${broker.port}`
      const pi = (host: Host, name: string, more: object): Promise<TestDaemon> =>
        startDaemon(t, { netns: host.netns, name, attachedTo, env: credentials, ...more })
      const [pi1, pi2] = await Promise.all([pi(one, 'pi1', pressing), pi(two, 'pi2', moving)])
      const publish = (topic: string, payload: string, ...more: string[]) =>
        publishFrom(home, broker.port, topic, payload, ...more)
      await Promise.all([pi1.logged(connected), pi2.logged(connected)])
      await publish('damselfly/pi1/pins/button/set', 'on')
      assert.equal((await pi2.logged('pin switched'))['state'], 'on')
      await sleep(1_500) // mosquitto writes what has changed once a second

      await broker.kill()
      await Promise.all([pi1.logged(lost), pi2.logged(lost)])
      await sleep(outageMs)
      await broker.restart()
      await Promise.all([pi1.logged(connected, 2), pi2.logged(connected, 2)])
      await publish('damselfly/pi1/pins/button/set', 'off')
      assert.equal((await pi2.logged('pin switched', 2))['state'], 'off')
      assert.ok(pi1.having('pressed').length > outageMs / 1_000)
      await pi1.stop()
      const pressed = pi1.having('pressed').length
      const heard = (): number[] => {
        const logged = pi2.log.flatMap(({ msg }) => msg.match(/^press (\d+)$/)?.[1] ?? [])
        return logged.map(Number)
      }
      const first = heard()[0] as number // pi1 began before pi2
      const expected = Array.from({ length: pressed - first + 1 }, (_, index) => first + index)
      await until('all presses have arrived', () => new Set(heard()).size >= expected.length)
      assert.deepEqual(
        [...new Set(heard())].sort((a, b) => a - b),
        expected,
      )
      for (const daemon of [pi1, pi2]) {
        assert.equal(daemon.having(lost).length, 1)
        assert.equal(daemon.having(connected).length, 2)
      }

      const poison = '{"msg":'
      for (const topic of [
        'home/button',
        'home/press',
        'damselfly/pi2/pins/lamp/set',
        'damselfly/pi1/pins/button/set',
      ])
        await publish(topic, topic.endsWith('set') ? 'on' : poison, '-r')
      await pi2.stop()
      await publish('damselfly/pi2/pins/lamp/set', 'on') // too late
      const [again1, again2] = await Promise.all([
        pi(one, 'pi1', { ...pressing, folder: pi1.folder }),
        pi(two, 'pi2', { ...moving, folder: pi2.folder }),
      ])
      await until('a press arrives', () => again2.log.some(({ msg }) => msg.startsWith('press ')))
      assert.deepEqual(again2.having('pin switched'), [])
      assert.deepEqual(
        [again1, again2].flatMap(({ log }) => log.filter(({ level }) => level === 'error')),
        [],
      )
      await publish('damselfly/pi1/pins/button/set', 'on')
      assert.equal((await again2.logged('pin switched'))['state'], 'on')
    })
  }
})

async function publishFrom(host: Host, port: number, topic: string, payload: string, ...more: string[]) {
  const address = ['-h', '127.0.0.1', '-p', `${port}`, '-u', 'house', '-P', 'key']
  const argv = [
    'netns',
    'exec',
    host.netns,
    'mosquitto_pub',
    ...address,
    '-q',
    '1',
    '-t',
    topic,
    '-m',
    payload,
  ]
  await run('ip', [...argv, ...more], { timeout: 5_000 })
}

async function startDamselfly(context: TestContext, host: Host): Promise<FarBroker> {
  const options = { netns: host.netns, name: 'home', bind: 'all', env: credentials }
  let daemon = await startDaemon(context, options)
  const { port, folder } = daemon
  return {
    port,
    async kill() {
      daemon.kill('SIGKILL')
      await until('it is gone', () => daemon.hasExited)
    },
    async restart() {
      daemon = await startDaemon(context, { ...options, port, folder })
    },
  }
}

async function startPersistentMosquitto(context: TestContext, host: Host): Promise<FarBroker> {
  const salt = randomBytes(12)
  const hash = pbkdf2Sync('key', salt, 101, 64, 'sha512') // as mosquitto_passwd writes it
  const mosquitto = await startMosquitto(context, {
    netns: host.netns,
    address: '0.0.0.0',
    config: `allow_anonymous false\npassword_file users\n${persistent}`,
    files: { users: `house:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n` },
  })
  return {
    port: mosquitto.port,
    kill: () => mosquitto.stop('SIGKILL'),
    restart: () => mosquitto.start(),
  }
}
