// What the service may not do. Programs that a rule starts live under the same unit as the daemon: they try.
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import {
  connect,
  damselfly,
  dropIn,
  end,
  entries,
  exposure,
  journal,
  play,
  promise,
  property,
  sh,
  shell,
  systemctl,
} from '../service.mjs'
import { allowed, refused } from './attempts.mjs'

let client
await play({ unit, attempts, folders, environment, strangers, keys })
end()

async function unit() {
  const path = '/etc/systemd/system/damselfly.service'
  const verify = await sh('systemd-analyze', 'verify', '--recursive-errors=no', path)
  promise('systemd-analyze verify is clean', verify.code === 0 && verify.text === '', verify.text)
  const ours = await exposure(16)
  promise('systemd-analyze security is at most 1.6', ours.isAtMost, ours.verdict)
  const another = await exposure(16, 'systemd-udevd')
  promise('which not every service is', !another.isAtMost, another.verdict)
}

async function attempts() {
  writeFileSync('/root/secret', 'secret')
  writeFileSync('/tmp/outside', 'x')
  for (const [path, ...node] of [
    ['/dev/proof', 'c', '240', '0'], // open to all, but for DevicePolicy=
    ['/dev/ttyS1', 'c', '4', '65'],
  ]) {
    await sh('rm', '-f', path)
    await sh('mknod', '-m', '666', path, ...node)
  }
  copyFileSync('/usr/bin/id', '/usr/local/bin/rootid')
  chmodSync('/usr/local/bin/rootid', 0o4755)
  const outside = await sh('runuser', '-u', 'nobody', '--', '/usr/local/bin/rootid', '-u')
  promise('the setuid bit makes root of others', outside.text === '0', outside.text)

  client = await connect()
  await tryAll('refused', refused)
  await tryAll('allowed', allowed)
  const active = `${await property('ActiveState')}, ${await property('NRestarts')} restarts`
  promise('and the daemon has not noticed', active === 'active, 0 restarts', active)
}

/** Many in one program: to start one takes longer than what it does. */
async function tryAll(verdict, attempts) {
  const together = 16
  for (let first = 0; first < attempts.length; first += together) {
    const some = attempts.slice(first, first + together)
    const script = some.map(([, line], index) => `echo "@@${index}"; ( ${line} ) </dev/null 2>&1`).join('\n')
    const answers = ((await shell(client, script, 60)) ?? '').split(/^@@\d+\n?/m).slice(1)
    for (const [index, [what, line, pattern]] of some.entries()) {
      const said = answers[index]?.trim()
      promise(`${verdict}: ${what}`, said !== undefined && pattern.test(said), `${line} → ${short(said)}`)
    }
  }
}

/** All that it may write to, wherever it is. */
async function folders() {
  const find = 'find / -path /proc -prune -o -type d -writable -print 2>/dev/null | sort'
  const said = await shell(client, find, 60)
  const roots = (said ?? '')
    .split('\n')
    .filter((path, index, all) => !all.slice(0, index).some((up) => path.startsWith(`${up}/`)))
  const expected = ['/dev/shm', '/run/damselfly', '/tmp', '/var/lib/damselfly', '/var/tmp']
  promise('the folders that it may write to', roots.join(' ') === expected.join(' '), roots.join(' '))
  const capabilities = await shell(client, 'grep -E "NoNewPrivs|CapEff|CapBnd|Seccomp:" /proc/self/status')
  promise(
    'no capability, none to be had, and a filter of system calls',
    /CapEff:\s+0+\nCapBnd:\s+0+\nNoNewPrivs:\s+1\nSeccomp:\s+2/.test(capabilities),
    capabilities,
  )
  const bounds = await shell(client, 'ulimit -n; ulimit -c; umask')
  promise('file descriptors, core dumps, mask', bounds === '16384\n0\n0077', bounds)
}

async function environment() {
  writeFileSync('/etc/mqtt-password', 'a-word-of-systemd\n', { mode: 0o600 })
  await dropIn('credential', 'LoadCredential=MQTT_PASSWORD:/etc/mqtt-password')
  const since = Date.now()
  await systemctl('restart', 'damselfly')
  const wrong = await connect({ username: 'house', password: 'a-word-of-the-file' })
  client = await connect({ username: 'house', password: 'a-word-of-systemd' })
  promise('the credential counts, and not the word of the file', client !== undefined && wrong === undefined)
  const env = readFileSync('/etc/damselfly/.env', 'utf8')
  writeFileSync('/etc/damselfly/.env', env.replace(/MQTT_PASSWORD=.*/, ''))
  const reload = await systemctl('reload', 'damselfly')
  const still = await connect({ username: 'house', password: 'a-word-of-systemd' })
  promise(
    'also at a reload, without a word in the file',
    reload.code === 0 && still !== undefined,
    await journal('configuration reloaded', since),
  )
  still?.end()
  const secrets = /a-word-of|CREDENTIALS|NOTIFY_SOCKET/
  const seen = await shell(client, 'env')
  promise(
    "a program's environment has no secret",
    !secrets.test(seen) && /MQTT_TOPIC=house\/shell/.test(seen),
    short(seen),
  )
  const own = readFileSync(`/proc/${await property('MainPID')}/environ`, 'latin1').replaceAll('\0', ' ')
  promise("nor has the daemon's", !/a-word-of/.test(own) && /CONFIG_DIR/.test(own), short(own))
  const other = await sh('runuser', '-u', 'nobody', '--', 'cat', `/proc/${await property('MainPID')}/environ`)
  promise('which others may not read', other.code !== 0, other.text)
  const line = readFileSync(`/proc/${await property('MainPID')}/cmdline`, 'latin1').replaceAll('\0', ' ')
  promise('nor the command line', !/a-word-of/.test(line) && /main\.js start/.test(line), line)
  const told = JSON.stringify(await entries(since))
  promise('nor the journal', !/a-word-of/.test(told) && told.includes('ready'), `${told.length} bytes`)
}

/** Other users of the machine. */
async function strangers() {
  const as = (user, ...args) => sh('runuser', '-u', user, '--', ...args)
  await damselfly('user', 'add', '-b', 'shed', 'a-word-of-the-users')
  for (const file of ['/etc/damselfly/.env', '/etc/damselfly/users']) {
    const { mode } = statSync(file)
    const refusedAs = await as('nobody', 'cat', file)
    const allowedAs = await as('damselfly', 'head', '-c', '1', file)
    promise(
      `${file} is for root and the service`,
      refusedAs.code !== 0 && allowedAs.code === 0 && (mode & 0o777) === 0o640,
      `${(mode & 0o777).toString(8)}; nobody: ${refusedAs.text}`,
    )
  }
  const data = await as('nobody', 'ls', '/var/lib/damselfly')
  promise('its data is closed to others', data.code !== 0, data.text)
  const socket = await as('nobody', 'damselfly', 'status')
  const group = await sh(
    'setpriv',
    '--reuid=nobody',
    '--regid=damselfly',
    '--clear-groups',
    'damselfly',
    'status',
  )
  promise(
    'the control socket, too',
    socket.code === 1 && /usermod -aG damselfly/.test(socket.text),
    socket.text,
  )
  promise('but for its group', group.code === 0 && /is running/.test(group.text), group.text.split('\n')[0])
}

async function keys() {
  const made = await damselfly('cert', 'init', '--listen')
  promise('certificates are made', made.code === 0, short(made.text))
  const { stdout } = await sh('find', '/etc/damselfly', '-name', '*key*', '-type', 'f')
  const files = stdout.trim().split('\n')
  for (const file of files) {
    const { mode } = statSync(file)
    const nobody = await sh('runuser', '-u', 'nobody', '--', 'cat', file)
    promise(
      `${file} is closed to others`,
      nobody.code !== 0 && (mode & 0o007) === 0,
      (mode & 0o777).toString(8),
    )
  }
  const restarted = await systemctl('restart', 'damselfly')
  const hello = await sh(
    ...[
      'openssl',
      's_client',
      '-connect',
      '127.0.0.1:8883',
      '-CAfile',
      '/etc/damselfly/certs/ca.crt',
      '-brief',
    ],
  )
  promise(
    'and the service reads its own',
    restarted.code === 0 && /Verification: OK/.test(hello.text),
    short(hello.text),
  )
}

function short(text = 'no answer') {
  return text.length > 160 ? `${text.slice(0, 157)}...` : text
}
