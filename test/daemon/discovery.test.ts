import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { freePort, root, runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { type Hosts, twoHosts } from '../support/netns.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = missing('root', 'ip')
const main = join(root, 'dist/main.js')
const yaml = 'rules: [{ every: 300ms, do: { publish: home/tick, text: "tick" } }]'

interface Running {
  readonly text: () => string
  readonly ended: Promise<number | null>
  readonly input: NodeJS.WritableStream
}

function run(
  context: TestContext,
  netns: string,
  argv: readonly string[],
  more: readonly string[] = [],
): Running {
  const child = spawn('ip', ['netns', 'exec', netns, ...more, ...argv], { cwd: '/' })
  context.after(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { text: () => text, ended, input: child.stdin }
}

const discovered = async (context: TestContext, netns: string, ...options: string[]) => {
  const command = run(context, netns, [process.execPath, main, 'discover', '--seconds', '1.5', ...options])
  const code = await command.ended
  return { code, text: command.text() }
}

/** A broker on a LAN, 10.77.0.1, and another host there. */
async function household(context: TestContext, env: string) {
  const hosts = twoHosts(context)
  hosts.ip('addr', 'add', '10.77.0.1/24', 'dev', 'lan0')
  const broker = await startDaemon(context, {
    netns: hosts.server,
    name: 'shed.garden',
    bind: 'lan',
    env,
    yaml,
  })
  return { hosts, broker }
}

describe('being found on the LAN', { concurrency: true, skip }, () => {
  test('without any address a program and a second Pi find the broker, and find it again when its address has changed', async (context) => {
    const { hosts, broker } = await household(context, 'ALLOW_ANONYMOUS=true')
    const program = run(context, hosts.client, [
      process.execPath,
      join(root, '.build/test/support/found-program.js'),
    ])
    const pi = await startDaemon(context, {
      netns: hosts.client,
      name: 'second',
      attachedTo: 'auto',
      yaml: 'rules: [{ on: home/tick, do: { log: "heard" } }]',
    })
    const connected = await pi.logged('connected to the broker')
    assert.equal(connected['broker'], `auto: mqtt://10.77.0.1:${broker.port}`)
    await pi.logged('heard')
    const ticks = () => program.text().split('home/tick tick').length - 1
    await until('the program hears it', () => ticks() > 0)

    hosts.ip('addr', 'del', '10.77.0.1/24', 'dev', 'lan0')
    hosts.ip('addr', 'add', '10.77.0.42/24', 'dev', 'lan0')
    await until('the program has lost it', () => program.text().includes('state reconnecting'), 40_000)
    const before = ticks()
    await until('the program hears it again', () => ticks() > before, 40_000)
    assert.match(program.text(), /state reconnecting\nstate connected\n/)
    await until('the Pi is connected again', () => pi.having('connected to the broker').length > 1, 40_000)
    assert.equal(
      pi.having('connected to the broker').at(-1)?.['broker'],
      `auto: mqtt://10.77.0.42:${broker.port}`,
    )
    const heard = pi.having('heard').length
    await until('the Pi hears it again', () => pi.having('heard').length > heard)
  })

  test('discover lists it; MDNS=off and a stop take it away; a flood of noise changes nothing', async (context) => {
    const { hosts, broker } = await household(context, '')
    const flood = await tempFolder(context)
    await writeFile(join(flood, 'flood.mjs'), floodProgram)
    const noise = run(context, hosts.client, [process.execPath, join(flood, 'flood.mjs')])
    assert.equal(await noise.ended, 0, noise.text())
    const listed = await discovered(context, hosts.client, '--json')
    assert.equal(listed.code, 0, listed.text)
    const [found, ...others] = JSON.parse(listed.text)
    assert.deepEqual(others, [])
    const { version, ...rest } = found
    assert.match(version, /^\d+\.\d+\.\d+$/)
    assert.deepEqual(rest, {
      name: 'shed.garden',
      host: 'shed-garden.local',
      port: broker.port,
      isSecure: false,
      addresses: ['10.77.0.1'],
    })
    const table = await discovered(context, hosts.server)
    assert.match(table.text, /NAME .*\nshed\.garden +10\.77\.0\.1 +\d+ +no +/)

    await broker.write(
      '.env',
      `PORT=${broker.port}\nBIND=lan\nNAME=shed.garden\nGPIO_CHIP=simulated\nMDNS=off\n`,
    )
    await broker.reload()
    const none = await discovered(context, hosts.client)
    assert.equal(none.code, 1)
    assert.match(none.text, /no broker tells of itself/)
    assert.deepEqual(
      broker.log.filter(({ level }) => level === 'error' || level === 'warn').map(({ msg }) => msg),
      [],
    )
  })

  test('a password goes over TLS alone where there is TLS, and to nobody whose certificate the house has not signed', async (context) => {
    const hosts = twoHosts(context)
    hosts.ip('addr', 'add', '10.77.0.1/24', 'dev', 'lan0')
    const folder = await tempFolder(context)
    await writeFiles(folder, { '.env': 'NAME=shed\n', 'damselfly.yaml': '' })
    const made = await runCommand(folder, ['cert', 'init'])
    assert.equal(made.code, 0, made.stderr)
    const secure = await freePort()
    const listeners = `listeners: { secure: { port: ${secure}, bind: lan, tls: { cert: certs/server.crt, key: certs/server.key } } }`
    const broker = await startDaemon(context, {
      ...{ netns: hosts.server, folder, name: 'shed', bind: 'lan', yaml: `${listeners}\n${yaml}` },
      env: 'MQTT_USERNAME=house\nMQTT_PASSWORD=se-cret',
    })
    const program = (url: string, more: readonly string[]) =>
      run(
        context,
        hosts.client,
        [process.execPath, join(root, '.build/test/support/found-program.js'), url, 'house', 'se-cret'],
        ['env', ...more],
      )
    const trusting = [`NODE_EXTRA_CA_CERTS=${join(folder, 'config/certs/ca.crt')}`]
    const found = program('auto', trusting)
    await until('it hears', () => found.text().includes('home/tick'), 20_000)
    const at = broker.log.filter(({ msg }) => msg === 'client connected').map(({ listener }) => listener)
    assert.deepEqual(at, ['secure'])
    const stranger = program('auto:shed', [])
    assert.equal(await stranger.ended, 1)
    assert.match(stranger.text(), /certificate/)
    assert.equal(broker.having('client connected').length, 1)
  })

  test('what is listened on by this machine alone is not told', async (context) => {
    const hosts = twoHosts(context)
    hosts.ip('addr', 'add', '10.77.0.1/24', 'dev', 'lan0')
    await startDaemon(context, { netns: hosts.server, bind: 'loopback' })
    assert.deepEqual(await discovered(context, hosts.client, '--json'), { code: 1, text: '[]\n' })
  })

  test('beside avahi-daemon, which starts later and has the same host name, neither loses its name', {
    skip: missing('root', 'ip', 'avahi-daemon', 'dbus-daemon', 'unshare'),
  }, async (context) => {
    const { hosts } = await household(context, 'NAME=shed')
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const avahi = await startAvahi(context, hosts, 'shed')
    await until('avahi-daemon is up', () => /Host name is/.test(avahi.text()), 10_000)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    assert.match(avahi.text(), /Host name is shed\.local/)
    assert.doesNotMatch(avahi.text(), /conflict/i)
    const listed = await discovered(context, hosts.client, '--json')
    assert.equal(JSON.parse(listed.text)[0]?.host, 'shed.local')
  })
})

/** Sends what is no message, and what asks and tells much, as fast as it can for a moment. */
const floodProgram = `
import { createSocket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
const socket = createSocket({ type: 'udp4', reuseAddr: true }).bind(5353, () => {
  socket.setMulticastInterface('10.77.0.9')
  let left = 3000
  const pointers = Buffer.from([0xc0, 12])
  const send = () => {
    if (left-- === 0) return socket.close()
    const bytes = randomBytes(1 + Math.floor(Math.random() * 1200))
    if (left % 2) bytes.writeUInt8(0, 0)
    if (left % 3 === 0) Buffer.from([0, 0, left % 2 ? 0x84 : 0, 0, 0, left % 200, 0, left % 40, 0, 0, 0, 0]).copy(bytes)
    if (left % 5 === 0) for (let at = 12; at + 2 < bytes.length; at += 2) pointers.copy(bytes, at)
    socket.send(bytes, 5353, '224.0.0.251', () => setImmediate(send))
  }
  send()
})
`

/** With a D-Bus and a \`/run\` of its own, as it has on a machine of its own. */
async function startAvahi(context: TestContext, { server }: Hosts, hostName: string): Promise<Running> {
  const folder = await tempFolder(context)
  const bus = join(folder, `bus-${randomBytes(3).toString('hex')}`)
  const open = '<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>'
  const types = ['method_return', 'signal', 'error'].map((type) => `<allow receive_type="${type}"/>`).join('')
  await writeFile(
    join(folder, 'bus.conf'),
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${bus}</listen><auth>EXTERNAL</auth>
<policy context="default">${open}${types}</policy></busconfig>`,
  )
  await writeFile(
    join(folder, 'avahi.conf'),
    `[server]\nhost-name=${hostName}\nallow-interfaces=lan0\n[publish]\npublish-workstation=no\n`,
  )
  const dbus = run(context, server, [
    'dbus-daemon',
    '--nofork',
    '--print-address',
    `--config-file=${join(folder, 'bus.conf')}`,
  ])
  await until('the bus is there', () => dbus.text().includes(bus))
  const inside = `mount -t tmpfs none /run && mkdir -p /run/avahi-daemon &&
    exec avahi-daemon --no-chroot --no-drop-root -f ${join(folder, 'avahi.conf')}`
  return run(
    context,
    server,
    ['sh', '-c', inside],
    ['env', `DBUS_SYSTEM_BUS_ADDRESS=unix:path=${bus}`, 'unshare', '-m'],
  )
}
