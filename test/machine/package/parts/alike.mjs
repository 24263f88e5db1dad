import { promise, sh, systemctl } from '../../proof.mjs'
import { dpkg, etc, facts, packages, state, traces } from '../kit.mjs'

/** Properties that say when, or where the program lies: npm's is elsewhere. */
const own =
  /^(FragmentPath|Exec\w+|Invocation\w*|MainPID|Memory\w+|CPU\w+|Tasks\w+|IO\w+|IP\w+|\w*Timestamp\w*|\w*MonotonicUSec|ControlGroupId|StatusText|NRestarts|EffectiveMemory\w*|EffectiveTasks\w*|DropInPaths|Job|ExecMainPID|UID|GID|FileDescriptorStoreMax)=/

export async function prove() {
  await sh('cp', '-a', '/job/global/.', '/usr/local/')
  const install = await sh('/usr/local/bin/damselfly', 'service', 'install')
  promise('npm’s service install ends with 0', install.code === 0, install.text)
  const npm = await look()
  await sh('/usr/local/bin/damselfly', 'service', 'uninstall')
  await sh(
    'rm',
    '-rf',
    etc,
    '/var/lib/damselfly',
    '/usr/local/bin/damselfly',
    '/usr/local/lib/node_modules/damselfly',
  )
  await sh('userdel', 'damselfly')
  promise('nothing of it is left', (await traces()) === '', await traces())

  const deb = dpkg('-i', packages.first)
  promise('then the package is installed', deb.code === 0, deb.text)
  const packaged = await look()
  for (const what of Object.keys(npm)) {
    const different = [
      ...difference(npm[what], packaged[what]).map((line) => `npm: ${line}`),
      ...difference(packaged[what], npm[what]).map((line) => `package: ${line}`),
    ]
    promise(
      `the same ${what}`,
      different.length === 0,
      different.length === 0 ? `${npm[what].length} lines` : different.join('\n'),
    )
  }
  dpkg('-P', 'damselfly')
}

async function look() {
  const lines = (text) => text.split('\n')
  const names = ['.env', 'damselfly.yaml', 'damselfly.schema.json', 'users', 'acl', 'actions'].map(
    (name) => `${etc}/${name}`,
  )
  const account = (await sh('getent', 'passwd', 'damselfly')).text
  const group = (await sh('getent', 'group', 'damselfly')).text
  const shown = await systemctl('show', 'damselfly')
  return {
    state: [await state()],
    'files, modes and owners': lines(
      await facts(etc, ...names, '/var/lib/damselfly', '/run/damselfly', '/run/damselfly/control.sock'),
    ),
    'texts of the settings': lines((await sh('md5sum', ...names.slice(0, -1))).text),
    'list of files': lines((await sh('ls', '-A', etc)).text),
    account: [withoutNumbers(account), withoutNumbers(group), (await sh('id', '-Gn', 'damselfly')).text],
    'properties of the unit': lines(shown.stdout)
      .filter((line) => line !== '' && !own.test(line))
      .map(inOrder),
    'programs that the unit runs': (await commands()).map((line) =>
      line.replace(/\S*\/dist\/main\.js/, 'MAIN'),
    ),
  }
}

async function commands() {
  const { stdout } = await systemctl(
    'show',
    'damselfly',
    '--property=ExecStart',
    '--property=ExecStopPost',
    '--property=ExecReload',
  )
  return stdout
    .trim()
    .split('\n')
    .map((line) => `${line.slice(0, line.indexOf('='))} ${/argv\[\]=(.*?) ;/.exec(line)?.[1]}`)
}

/** systemd gives lists in no order. */
function inOrder(line) {
  const [name, ...value] = line.split('=')
  return `${name}=${value.join('=').split(' ').sort().join(' ')}`
}

function withoutNumbers(text) {
  return text.replaceAll(/\d+/g, 'N')
}

function difference(some, others) {
  return some.filter((line) => !others.includes(line))
}
