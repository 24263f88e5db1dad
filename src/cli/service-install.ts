import { readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { userLines } from '../config/users-file.ts'
import { DamselflyError } from '../core/errors.ts'
import { account, configDir, configText, makeAccount, makeConfiguration } from './service-files.ts'
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
  /** The folder that holds `dist/`, `config/` and `systemd/`. */
  readonly packageDir: string
  /** The folder whose `.env` and `config/` the service begins with, if they are there; else those of `systemd/etc/`. */
  readonly workingDir?: string
  /** This process's node unless told. */
  readonly node?: string
  /** Neither enable it nor start it. */
  readonly isIdle?: boolean
}

const unit = 'damselfly.service'
const unitPath = `/etc/systemd/system/${unit}`
/** What the Debian package has in its place. */
const packaged = { unitPath: `/usr/lib/systemd/system/${unit}`, program: '/usr/lib/damselfly' }

/**
 * Makes Damselfly a service of this machine, enabled and (re)started: the user and the groups, /etc/damselfly
 * with its files, the unit, which the Debian package has brought already. What is there stays, configuration above
 * all; a second call updates the unit and restarts the service. While mosquitto holds the port it is neither enabled
 * nor started: at the next boot they would race for it.
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
  if (await isPackaged(machine, places.package)) {
    machine.print(`kept ${packaged.unitPath}, which is of the Debian package`)
  } else {
    const template = await readFile(join(places.package, 'systemd', unit), 'utf8')
    await machine.write(unitPath, unitFor(template, places), 0o644)
    machine.print(`wrote ${unitPath}`)
    await machine.must('systemctl', 'daemon-reload')
  }
  if (options.isIdle === true) return
  if (await isHeldByMosquitto(machine)) {
    machine.print(
      'not started: mosquitto is running and holds port 1883. Let Damselfly take over, with its settings:',
    )
    machine.print('  sudo damselfly import --switch')
    machine.print('or without them:')
    machine.print(`  sudo systemctl disable --now mosquitto && sudo systemctl enable --now ${account}`)
    return
  }
  await machine.must('systemctl', 'enable', unit)
  machine.print(`enabled ${unit}: it starts with the machine`)
  await start(machine)
}

/**
 * Stops the service and removes its unit; /etc/damselfly, the data and the account stay.
 * @throws DamselflyError `SERVICE_REFUSED`, `SERVICE_FAILED`
 */
export async function serviceUninstall(options: ServiceOptions): Promise<void> {
  const machine = new Machine(options)
  const reasons = [...machine.refusals(), ...(await machine.lacksSystemd())]
  const isThere = await machine.has(unitPath)
  if (!isThere && (await machine.has(packaged.unitPath)))
    reasons.push(
      `${unit} is of the Debian package: sudo apt remove ${account} removes both, sudo systemctl disable --now ${account} stops it for good`,
    )
  refuse(reasons)
  if (isThere) {
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

/** Whether its unit is anywhere, made by us or by the Debian package. */
export async function isInstalled(machine: Machine): Promise<boolean> {
  return (await machine.has(unitPath)) || (await machine.has(packaged.unitPath))
}

/** Whether this program is the Debian package's. */
async function isPackaged(machine: Machine, program: string): Promise<boolean> {
  return program === machine.path(packaged.program) && (await machine.has(packaged.unitPath))
}

async function refuseInstall(machine: Machine, places: Places): Promise<void> {
  const reasons = [...machine.refusals(), ...(await machine.lacksSystemd())]
  if ((await machine.has(packaged.unitPath)) && !(await isPackaged(machine, places.package)))
    reasons.push(
      `the Debian package is installed, and has a service of its own; if you want this one in its place: sudo apt remove ${account}, which keeps settings and data`,
    )
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

async function isHeldByMosquitto(machine: Machine): Promise<boolean> {
  if (portOf(await configText(machine, '.env')) !== 1883) return false
  return (await machine.run('systemctl', ['is-active', '--quiet', 'mosquitto.service'])).code === 0
}

async function start(machine: Machine): Promise<void> {
  const hasUsers = userLines(await configText(machine, 'users')).length > 0
  if (letsNobodyIn(await configText(machine, '.env')) && !hasUsers)
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
