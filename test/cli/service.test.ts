import assert from 'node:assert/strict'
import { accessSync, readFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { serviceInstall, serviceStatus, serviceUninstall } from '#src/cli/service-install.js'
import { describeStatus, hiddenBy, letsNobodyIn, portOf, unitFor } from '#src/cli/service-plan.js'

const template = readFileSync(new URL('../../../systemd/damselfly.service', import.meta.url), 'utf8')

const skip = (() => {
  if (process.getuid?.() !== 0) return 'needs root to give files to groups'
  try {
    accessSync('/dev/shm')
    return false
  } catch {
    return 'needs /dev/shm, a folder for temporary files that a unit can see'
  }
})()

/** A machine in a folder, with an installed package; its programs only remember that they were called. */
async function makeMachine(answers: Record<string, number | string> = {}) {
  const root = await mkdtemp('/dev/shm/damselfly-service-')
  await chmod(root, 0o755)
  const packageDir = join(root, 'usr/lib/node_modules/damselfly')
  const files = {
    'run/systemd/system/x': '',
    'etc/systemd/system/x': '',
    'usr/bin/node': '',
    'usr/lib/node_modules/damselfly/systemd/damselfly.service': template,
    'usr/lib/node_modules/damselfly/systemd/etc/env': 'PORT=1883\n',
    'usr/lib/node_modules/damselfly/systemd/etc/damselfly.yaml': 'rules: []\n',
    'usr/lib/node_modules/damselfly/systemd/etc/users': '# nobody yet\n',
    'usr/lib/node_modules/damselfly/systemd/etc/acl': 'pattern readwrite #\n',
    'usr/lib/node_modules/damselfly/config/damselfly.schema.json': '{}',
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await chmod(join(root, 'usr/bin/node'), 0o755)
  const commands: string[] = []
  const lines: string[] = []
  return {
    root,
    packageDir,
    node: join(root, 'usr/bin/node'),
    uid: 0,
    commands,
    lines,
    print: (line: string) => void lines.push(line),
    async run(program: string, args: readonly string[]) {
      const command = [program, ...args].join(' ')
      commands.push(command)
      const answer = Object.entries(answers).find(([start]) => command.startsWith(start))?.[1]
      if (typeof answer === 'number') return { code: answer, stdout: '' }
      return { code: 0, stdout: answer ?? (program === 'getent' ? 'damselfly:x:4321:\n' : '') }
    },
    text: (path: string) => readFile(join(root, path), 'utf8'),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

const noMosquitto = { 'systemctl is-active': 3 }

test('install makes the account, the configuration and the unit, and starts the service', {
  skip,
}, async () => {
  await using machine = await makeMachine({
    ...noMosquitto,
    'getent group gpio': 2,
    'getent passwd': 2,
  })
  await serviceInstall(machine)
  assert.deepEqual(machine.commands, [
    'getent group gpio',
    'groupadd --system gpio',
    'getent group damselfly',
    'getent passwd damselfly',
    'useradd --system --gid damselfly --no-create-home --home-dir /var/lib/damselfly --shell /usr/sbin/nologin damselfly',
    'getent group damselfly',
    'systemctl daemon-reload',
    'systemctl is-active --quiet mosquitto.service',
    'systemctl enable damselfly.service',
    'systemctl restart damselfly.service',
  ])
  assert.deepEqual(machine.lines, [
    'created the group gpio',
    'created the user damselfly',
    'created /etc/damselfly',
    'created /etc/damselfly/actions',
    `created /etc/damselfly/.env from ${machine.packageDir}/systemd/etc/env`,
    `created /etc/damselfly/damselfly.yaml from ${machine.packageDir}/systemd/etc/damselfly.yaml`,
    `created /etc/damselfly/users from ${machine.packageDir}/systemd/etc/users`,
    `created /etc/damselfly/acl from ${machine.packageDir}/systemd/etc/acl`,
    'wrote /etc/systemd/system/damselfly.service',
    'enabled damselfly.service: it starts with the machine',
    'devices on the LAN are refused until there is a user: sudo damselfly user add NAME',
    'started damselfly.service; its log: journalctl -u damselfly -f',
  ])
  for (const secret of ['.env', 'users', 'acl']) {
    const { mode, uid, gid } = await stat(join(machine.root, 'etc/damselfly', secret))
    assert.deepEqual([mode & 0o777, uid, gid], [0o640, 0, 4321], secret)
  }
  const unit = await machine.text('etc/systemd/system/damselfly.service')
  const main = join(machine.packageDir, 'dist/main.js')
  assert.match(
    unit,
    new RegExp(`^ExecStart=${machine.node} --max-semi-space-size=1 --v8-pool-size=1 ${main} start$`, 'm'),
  )
  assert.match(
    unit,
    new RegExp(`^ExecStopPost=${machine.node} --max-semi-space-size=1 --v8-pool-size=1 ${main} safe$`, 'm'),
  )
})

test('a second install keeps what its owner wrote, mends the rights of .env, and renews the schema', {
  skip,
}, async () => {
  await using machine = await makeMachine(noMosquitto)
  await serviceInstall(machine)
  const etc = join(machine.root, 'etc/damselfly')
  await writeFile(join(etc, '.env'), 'PORT=1884\n')
  await chmod(join(etc, '.env'), 0o644)
  await writeFile(join(etc, 'damselfly.yaml'), 'pins: {}\n')
  await rm(join(etc, 'damselfly.schema.json'))
  await writeFile(join(etc, 'damselfly.schema.json'), 'old')
  await rm(join(etc, 'acl'))
  machine.commands.length = 0
  await serviceInstall(machine)
  assert.equal(await machine.text('etc/damselfly/.env'), 'PORT=1884\n')
  assert.equal((await stat(join(etc, '.env'))).mode & 0o777, 0o640)
  assert.equal(await machine.text('etc/damselfly/damselfly.yaml'), 'pins: {}\n')
  assert.equal(await machine.text('etc/damselfly/damselfly.schema.json'), '{}')
  await assert.rejects(stat(join(etc, 'acl')), { code: 'ENOENT' }) // without it everybody may do everything: its owner chose
  assert.equal(
    machine.commands.some((command) => /^(useradd|groupadd)/.test(command)),
    false,
  )
})

test('while mosquitto holds the port, install neither enables nor starts the service and says how to go on', {
  skip,
}, async () => {
  await using machine = await makeMachine()
  await serviceInstall(machine)
  assert.match(
    machine.lines.at(-1) ?? '',
    /disable --now mosquitto && sudo systemctl enable --now damselfly$/,
  )
  assert.equal(
    machine.commands.some((command) => /^systemctl (enable|restart|start)/.test(command)),
    false,
  )
  await writeFile(join(machine.root, 'etc/damselfly/.env'), 'PORT=1884\n')
  await serviceInstall(machine)
  assert.equal(machine.commands.at(-1), 'systemctl restart damselfly.service')
})

test('install refuses with every reason at once, before it changes anything', { skip }, async () => {
  await using machine = await makeMachine()
  await rm(join(machine.root, 'run'), { recursive: true })
  await chmod(machine.node, 0o700)
  await chmod(join(machine.root, 'usr/lib/node_modules'), 0o750)
  await assert.rejects(serviceInstall({ ...machine, uid: 1000 }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'SERVICE_REFUSED')
    const [user, systemd, node, code, ...more] = error.message.split('\n')
    assert.match(user ?? '', /not root; use sudo/)
    assert.match(systemd ?? '', /does not run systemd/)
    assert.match(node ?? '', /^Node is at .*usr\/bin\/node is closed to other users \(mode 700\)/)
    assert.match(code ?? '', /^Damselfly is at .*node_modules is closed to other users \(mode 750\)/)
    return more.length === 0
  })
  assert.deepEqual(machine.commands, [])
  await assert.rejects(stat(join(machine.root, 'etc/damselfly')), { code: 'ENOENT' })
})

test('a step that fails ends the install with the command, a service that does not start with its log', {
  skip,
}, async () => {
  await using broken = await makeMachine({ ...noMosquitto, 'systemctl enable': 1 })
  await assert.rejects(serviceInstall(broken), {
    code: 'SERVICE_FAILED',
    message: 'systemctl enable damselfly.service ended with code 1',
  })
  await using silent = await makeMachine({
    ...noMosquitto,
    'systemctl restart': 1,
    journalctl: 'port 1883 is taken\n',
  })
  await assert.rejects(serviceInstall(silent), { code: 'SERVICE_FAILED', message: /port 1883 is taken$/ })
})

test('uninstall removes the unit, keeps configuration and says so, and may be called again', {
  skip,
}, async () => {
  await using machine = await makeMachine(noMosquitto)
  await serviceInstall(machine)
  machine.lines.length = 0
  await serviceUninstall(machine)
  assert.deepEqual(machine.commands.slice(-2), [
    'systemctl disable --now damselfly.service',
    'systemctl daemon-reload',
  ])
  assert.deepEqual(machine.lines, [
    'stopped and removed damselfly.service',
    'kept /etc/damselfly',
    'kept the user damselfly',
  ])
  await assert.rejects(stat(join(machine.root, 'etc/systemd/system/damselfly.service')), { code: 'ENOENT' })
  await serviceUninstall(machine)
  assert.equal(machine.lines[3], 'damselfly.service is not installed')
  await assert.rejects(serviceUninstall({ ...machine, uid: 1000 }), { code: 'SERVICE_REFUSED' })
})

/** The same machine with the Debian package on it. @returns where its program is */
async function withPackage(machine: Awaited<ReturnType<typeof makeMachine>>): Promise<string> {
  const program = join(machine.root, 'usr/lib/damselfly')
  await cp(machine.packageDir, program, { recursive: true })
  await mkdir(join(machine.root, 'usr/lib/systemd/system'), { recursive: true })
  await writeFile(join(machine.root, 'usr/lib/systemd/system/damselfly.service'), template)
  return program
}

test('install by the Debian package’s own program leaves the unit to the package, and starts it', {
  skip,
}, async () => {
  await using machine = await makeMachine(noMosquitto)
  const packageDir = await withPackage(machine)
  await serviceInstall({ ...machine, packageDir })
  await assert.rejects(stat(join(machine.root, 'etc/systemd/system/damselfly.service')), { code: 'ENOENT' })
  assert.ok(
    machine.lines.includes('kept /usr/lib/systemd/system/damselfly.service, which is of the Debian package'),
  )
  assert.deepEqual(machine.commands.slice(-2), [
    'systemctl enable damselfly.service',
    'systemctl restart damselfly.service',
  ])
})

test('install by another program beside the Debian package is refused, and uninstall says what removes it', {
  skip,
}, async () => {
  await using machine = await makeMachine(noMosquitto)
  const packageDir = await withPackage(machine)
  await assert.rejects(serviceInstall(machine), {
    code: 'SERVICE_REFUSED',
    message: /sudo apt remove damselfly/,
  })
  for (const program of [packageDir, machine.packageDir])
    await assert.rejects(serviceUninstall({ ...machine, packageDir: program }), {
      code: 'SERVICE_REFUSED',
      message: /sudo apt remove damselfly/,
    })
  assert.deepEqual(machine.commands, [])
})

test('that nobody of the LAN comes in is said as long as the file of users names nobody', {
  skip,
}, async () => {
  await using machine = await makeMachine(noMosquitto)
  const isTold = () => machine.lines.some((line) => line.includes('are refused until there is a user'))
  await serviceInstall(machine)
  assert.ok(isTold())
  machine.lines.length = 0
  await writeFile(join(machine.root, 'etc/damselfly/users'), '# one\nada:$7$101$c2FsdA==$aGFzaA==\n')
  await serviceInstall(machine)
  assert.ok(!isTold())
})

test('status tells whether it runs, to everybody', { skip }, async () => {
  await using machine = await makeMachine({ 'systemctl show': 'LoadState=loaded\nActiveState=active\n' })
  assert.equal(await serviceStatus({ ...machine, uid: 1000 }), true)
  assert.match(machine.lines[0] ?? '', /^damselfly.service: active/)
})

test('a running service is described in five lines', () => {
  const shown = `LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
ActiveEnterTimestamp=Fri 2026-11-20 21:00:00 UTC
MainPID=77
NRestarts=0
MemoryCurrent=62914560
StatusText=10.77.0.5:1883, a=b
`
  assert.deepEqual(describeStatus(shown), {
    isRunning: true,
    lines: [
      'active (running) since Fri 2026-11-20 21:00:00 UTC, process 77, 60 MiB',
      '10.77.0.5:1883, a=b',
      'starts with the machine: yes',
      'restarts after a failure: 0',
      'log: journalctl -u damselfly -f',
    ],
  })
})

test('a failed service is described with its result, one that is not installed with the remedy', () => {
  const failed = describeStatus(
    'LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=2\nMemoryCurrent=[not set]\n',
  )
  assert.equal(failed.isRunning, false)
  assert.equal(failed.lines[0], 'failed (failed), exit-code, exit code 2')
  const absent = describeStatus('LoadState=not-found\nActiveState=inactive\n')
  assert.equal(absent.isRunning, false)
  assert.match(absent.lines.join(), /sudo damselfly service install/)
})

test('paths that the unit cannot see are known by folder, not by letters', () => {
  for (const path of [
    '/home',
    '/home/ada/node',
    '/root/.nvm/node',
    '/run/user/1000/x',
    '/tmp/x',
    '/var/tmp/x',
  ])
    assert.match(hiddenBy(path) ?? '', /the unit cannot see/, path)
  for (const path of ['/homes/x', '/usr/home/x', '/opt/node', '/rooted', '/var/lib/x'])
    assert.equal(hiddenBy(path), undefined, path)
})

test('the unit names the real places, whatever characters they have', () => {
  assert.equal(unitFor(template, { node: '/usr/bin/node', package: '/usr/lib/damselfly' }), template)
  const unit = unitFor(template, { node: '/opt/my node', package: '/srv/50%/$x' })
  assert.match(
    unit,
    /^ExecStart="\/opt\/my node" --max-semi-space-size=1 --v8-pool-size=1 \/srv\/50%%\/\$\$x\/dist\/main\.js start$/m,
  )
  assert.equal(unit.match(/\/usr\/(bin\/node|lib\/damselfly)/), null)
})

test('the port comes from .env', () => {
  for (const [env, port] of [
    ['', 1883],
    ['PORT=1884', 1884],
    ['NAME=x\nexport PORT = "8883"\n', 8883],
    ['# PORT=1884\n', 1883],
    ['REPORT=1\nPORT=\n', 1883],
  ] as const)
    assert.equal(portOf(env), port, env)
})

test('install begins with the .env and the config of the folder that it is called in', { skip }, async () => {
  await using machine = await makeMachine({ ...noMosquitto })
  const workingDir = join(machine.root, 'home')
  await mkdir(join(workingDir, 'config/actions'), { recursive: true })
  await writeFile(join(workingDir, '.env'), 'MQTT_USERNAME=house\nMQTT_PASSWORD=key\n')
  await writeFile(join(workingDir, 'config/damselfly.yaml'), 'pins: {}\n')
  await writeFile(join(workingDir, 'config/actions/own.js'), '')
  await serviceInstall({ ...machine, workingDir })
  assert.match(await machine.text('etc/damselfly/.env'), /PASSWORD=key/)
  assert.equal(await machine.text('etc/damselfly/damselfly.yaml'), 'pins: {}\n')
  assert.equal(await machine.text('etc/damselfly/actions/own.js'), '')
  assert.equal(
    machine.lines.some((line) => line.includes('are refused')),
    false,
  )
})

test('a .env that keeps the LAN out is known', () => {
  for (const env of ['', 'PORT=1', '#MQTT_PASSWORD=x', 'MQTT_PASSWORD=', 'ALLOW_ANONYMOUS=local'])
    assert.equal(letsNobodyIn(env), true, env)
  for (const env of ['MQTT_PASSWORD=x', 'export MQTT_PASSWORD="x"', 'A=1\nALLOW_ANONYMOUS=true'])
    assert.equal(letsNobodyIn(env), false, env)
})
