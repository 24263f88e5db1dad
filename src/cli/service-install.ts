import { chmod, chown, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DamselflyError, errnoOf } from '../core/errors.ts'
import { Machine, type MachineOptions } from './service-machine.ts'
import {
  describeStatus,
  hiddenBy,
  letsNobodyIn,
  type Places,
  portOf,
  statusProperties,
  unitFor,
} from './service-plan.ts'

export interface ServiceOptions extends MachineOptions {
  /** The folder that holds `dist/`, `config/`, `systemd/` and `.env.example`. */
  readonly packageDir: string
  /** The folder whose `.env` and `config/` the service begins with, if they are there; else the package's own. */
  readonly workingDir?: string
  /** This process's node unless told. */
  readonly node?: string
  /** Neither enable it nor start it. */
  readonly isIdle?: boolean
}

const account = 'damselfly'
const unit = 'damselfly.service'
/** Where our unit is. */
export const unitPath = `/etc/systemd/system/${unit}`
const configDir = '/etc/damselfly'

/**
 * Makes Damselfly a service of this machine, enabled and (re)started: the user and the groups, /etc/damselfly
 * with its files, the unit. What is there already stays, configuration above all; a second call updates the
 * unit and restarts the service.
 * @throws DamselflyError `SERVICE_REFUSED` with every reason at once, before anything was changed;
 *   `SERVICE_FAILED` when a step failed or the service did not start
 */
export async function serviceInstall(options: ServiceOptions): Promise<void> {
  const machine = new Machine(options)
  const places: Places = {
    node: await realpath(options.node ?? process.execPath),
    package: await realpath(options.packageDir),
  }
  await refuseInstall(machine, places)
  await makeAccount(machine)
  await makeConfiguration(machine, places.package, options.workingDir)
  const template = await readFile(join(places.package, 'systemd', unit), 'utf8')
  await machine.write(unitPath, unitFor(template, places), 0o644)
  machine.print(`wrote ${unitPath}`)
  await machine.must('systemctl', 'daemon-reload')
  if (options.isIdle === true) return
  await machine.must('systemctl', 'enable', unit)
  machine.print(`enabled ${unit}: it starts with the machine`)
  if (await isHeldByMosquitto(machine)) {
    machine.print('not started: mosquitto is running and holds port 1883. Let Damselfly take over with')
    machine.print(`  sudo systemctl disable --now mosquitto && sudo systemctl start ${account}`)
    return
  }
  await start(machine)
}

/**
 * Stops the service and removes its unit; /etc/damselfly, the data and the account stay.
 * @throws DamselflyError `SERVICE_REFUSED`, `SERVICE_FAILED`
 */
export async function serviceUninstall(options: ServiceOptions): Promise<void> {
  const machine = new Machine(options)
  refuse([...machine.refusals(), ...(await machine.lacksSystemd())])
  if (await machine.has(unitPath)) {
    await machine.must('systemctl', 'disable', '--now', unit)
    await rm(machine.path(unitPath))
    await machine.must('systemctl', 'daemon-reload')
    machine.print(`stopped and removed ${unit}`)
  } else {
    machine.print(`${unit} is not installed`)
  }
  for (const path of [`${unitPath}.d`, configDir, '/var/lib/damselfly'])
    if (await machine.has(path)) machine.print(`kept ${path}`)
  machine.print(`kept the user ${account}`)
}

/** Prints how the service is; needs no root. @returns whether it is running */
export async function serviceStatus(options: MachineOptions): Promise<boolean> {
  const machine = new Machine(options)
  refuse(await machine.lacksSystemd())
  const shown = await machine.run('systemctl', ['show', unit, `--property=${statusProperties.join()}`])
  const { isRunning, lines } = describeStatus(shown.stdout)
  const [first, ...more] = lines
  machine.print(`${unit}: ${first}`)
  for (const line of more) machine.print(`  ${line}`)
  return isRunning
}

async function refuseInstall(machine: Machine, places: Places): Promise<void> {
  const reasons = [...machine.refusals(), ...(await machine.lacksSystemd())]
  const programs = [
    ['Node', places.node, 'install it for all users, for example: sudo apt install nodejs'],
    [
      'Damselfly',
      places.package,
      'install it for all users, in a copy of its repository: sudo npm install -g "$(npm pack --silent)"',
    ],
  ] as const
  for (const [what, path, remedy] of programs) {
    const reason = hiddenBy(path) ?? (await closedBy(path))
    if (reason !== undefined) reasons.push(`${what} is at ${path}, and ${reason}; ${remedy}`)
  }
  refuse(reasons)
}

function refuse(reasons: readonly string[]): void {
  if (reasons.length > 0) throw new DamselflyError('SERVICE_REFUSED', reasons.join('\n'))
}

/** Why the service's user, who has no right of its own, cannot get at a path; undefined when it can. */
async function closedBy(path: string): Promise<string | undefined> {
  for (let at = path; ; at = dirname(at)) {
    const { mode } = await stat(at)
    const wanted = at === path ? 0o005 : 0o001
    if ((mode & wanted) !== wanted)
      return `${at} is closed to other users (mode ${(mode & 0o777).toString(8)})`
    if (at === dirname(at)) return undefined
  }
}

async function makeAccount(machine: Machine): Promise<void> {
  for (const group of ['gpio', account]) {
    if ((await machine.run('getent', ['group', group])).code === 0) continue
    await machine.must('groupadd', '--system', group)
    machine.print(`created the group ${group}`)
  }
  if ((await machine.run('getent', ['passwd', account])).code === 0) return
  await machine.must(
    'useradd',
    ...['--system', '--gid', account, '--no-create-home', '--home-dir', '/var/lib/damselfly'],
    ...['--shell', '/usr/sbin/nologin', account],
  )
  machine.print(`created the user ${account}`)
}

async function makeConfiguration(
  machine: Machine,
  packageDir: string,
  workingDir = packageDir,
): Promise<void> {
  const actions = `${configDir}/actions`
  for (const folder of [configDir, actions]) await machine.folder(folder)
  const env = `${configDir}/.env`
  const ownEnv = join(workingDir, '.env')
  await machine.keepOrCopy((await isFile(ownEnv)) ? ownEnv : join(packageDir, '.env.example'), env, 0o640)
  const group = Number((await machine.must('getent', 'group', account)).split(':')[2])
  await makeSecret(machine, env, group) // also one that was there

  const ownConfig = join(workingDir, 'config')
  const config = (await isFile(join(ownConfig, 'damselfly.yaml'))) ? ownConfig : join(packageDir, 'config')
  const isFirst = await machine.keepOrCopy(
    join(config, 'damselfly.yaml'),
    `${configDir}/damselfly.yaml`,
    0o644,
  )
  // the schema belongs to this version, not to the owner
  const schema = await readFile(join(packageDir, 'config/damselfly.schema.json'), 'utf8')
  await machine.write(`${configDir}/damselfly.schema.json`, schema, 0o644)
  if (!isFirst) return // an example action that its owner removed stays away
  for (const file of ['users', 'acl']) {
    if (!(await isFile(join(config, file)))) continue
    await machine.keepOrCopy(join(config, file), `${configDir}/${file}`, 0o640)
    await makeSecret(machine, `${configDir}/${file}`, group)
  }
  for (const file of await filesIn(join(config, 'actions')))
    await machine.keepOrCopy(join(config, 'actions', file), `${actions}/${file}`, 0o644)
}

/** It holds passwords, and the service must read it. */
async function makeSecret(machine: Machine, path: string, group: number): Promise<void> {
  await chown(machine.path(path), machine.uid, group)
  await chmod(machine.path(path), 0o640)
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

async function isHeldByMosquitto(machine: Machine): Promise<boolean> {
  if (portOf(await readFile(machine.path(`${configDir}/.env`), 'utf8')) !== 1883) return false
  return (await machine.run('systemctl', ['is-active', '--quiet', 'mosquitto.service'])).code === 0
}

async function start(machine: Machine): Promise<void> {
  const env = await readFile(machine.path(`${configDir}/.env`), 'utf8')
  if (letsNobodyIn(env) && !(await machine.has(`${configDir}/users`)))
    machine.print('devices on the LAN are refused until there is a user: sudo damselfly user add NAME')
  const { code } = await machine.run('systemctl', ['restart', unit])
  if (code === 0) {
    machine.print(`started ${unit}; its log: journalctl -u ${account} -f`)
    return
  }
  const log = await machine.run('journalctl', ['-u', unit, '-n', '20', '-o', 'cat', '--no-pager'])
  throw new DamselflyError(
    'SERVICE_FAILED',
    `${unit} is installed but did not start; its last lines:\n${log.stdout.trimEnd()}`,
  )
}
