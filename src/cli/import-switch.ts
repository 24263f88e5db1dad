import { chown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { House } from '../config/house.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { setLimits } from '../core/limits.ts'
import { settingsReader } from '../daemon/settings-reader.ts'
import type { Move } from '../moving/move.ts'
import { readCopies } from './import-copies.ts'
import { type Answer, askAll, type Credentials, sourceDoor } from './import-doors.ts'
import { planFiles, writeFiles as putFiles } from './import-files.ts'
import { countWaitMsOf, refuseIfMissing } from './import-missing.ts'
import { letIn } from './import-reading.ts'
import { copyReport, importReport } from './import-report.ts'
import { RetainedCopy } from './import-retained.ts'
import { type ImportStore, openImportStore } from './import-store.ts'
import { missingOf } from './import-verify.ts'
import { isInstalled, serviceInstall } from './service-install.ts'
import { Machine, type MachineOptions } from './service-machine.ts'
import { paintFor } from './terminal.ts'

export interface SwitchRequest extends MachineOptions {
  /** mosquitto.conf */
  readonly file: string
  readonly move: Move
  readonly credentials: Credentials | undefined
  /** Leaves retained messages behind that this user cannot see, instead of stopping for them. */
  readonly retainedAsSeen?: boolean
  /** Where this package is; its own place unless told. */
  readonly packageDir?: string
  /** A folder whose `.env` and `config/` the service begins with, if it has none yet; the working directory unless told. */
  readonly workingDir?: string
  readonly node?: string
  /** Ends it, and what was done goes back; Ctrl-C unless told. */
  readonly signal?: AbortSignal
}

const theirs = 'mosquitto.service'
const ours = 'damselfly.service'
const account = 'damselfly'
const configDir = '/etc/damselfly'
const dataDir = '/var/lib/damselfly'

/**
 * Puts the service in the place of mosquitto's: writes its settings, checks them, copies the retained messages up to the
 * moment when mosquitto stops, starts Damselfly, and asks each listener whether it answers as mosquitto's did. If anything is
 * otherwise, or at Ctrl-C, mosquitto runs again. Until all is right neither unit's start with the machine is changed: a power
 * cut in between brings mosquitto back.
 * @throws DamselflyError with what went wrong; everything is as it was then, but for the files that were written
 */
export async function switchOver(request: SwitchRequest): Promise<void> {
  const interrupt = new AbortController()
  const stop = (): void => interrupt.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, stop)
  try {
    await new Switch(request, request.signal ?? interrupt.signal).run()
  } finally {
    for (const name of signals) process.off(name, stop)
  }
}

class Switch {
  readonly #request: SwitchRequest
  readonly #machine: Machine
  readonly #signal: AbortSignal
  readonly #house: House

  constructor(request: SwitchRequest, signal: AbortSignal) {
    this.#request = request
    this.#machine = new Machine(request)
    this.#signal = signal
    this.#house = serviceHouse(this.#machine)
  }

  async run(): Promise<void> {
    const { print, move, credentials } = this.#request
    await this.#refuse()
    await this.#settle()
    await this.#check()
    const before = await askAll(move.doors, credentials)
    const { store, copy } = await this.#copy()
    let isOver = false
    try {
      this.#throwIfInterrupted()
      print(
        `mosquitto stops now. If this command is cut off: sudo systemctl stop ${account}; sudo systemctl start mosquitto`,
      )
      isOver = true
      await this.#machine.must('systemctl', 'stop', theirs)
      await copy.finish()
      await store.close()
      await this.#giveData()
      this.#throwIfInterrupted()
      await this.#start()
      await this.#verify(before, copy)
      this.#throwIfInterrupted()
    } catch (error) {
      if (isOver) await this.#goBack(error)
      await copy.close().catch(() => {}) // the first failure is the one to tell
      await store.close()
      throw error
    }
    for (const line of copyReport(copy, credentials)) print(line)
    await this.#keepPlace()
    print(
      `Damselfly runs in mosquitto's place, and starts with the machine. Its log: journalctl -u ${account} -f`,
    )
    print(`Back, if ever: sudo systemctl disable --now ${account} && sudo systemctl enable --now mosquitto`)
  }

  /**
   * From now on Damselfly starts with the machine, and mosquitto does not. It serves the clients already: what fails here
   * undoes nothing, and is told with what to type.
   */
  async #keepPlace(): Promise<void> {
    const left: string[] = []
    for (const [verb, unit] of [
      ['enable', ours],
      ['disable', theirs],
    ] as const) {
      const { code } = await this.#machine.run('systemctl', [verb, unit])
      if (code !== 0) left.push(`sudo systemctl ${verb} ${unit}`)
    }
    if (left.length === 0) return
    throw new DamselflyError(
      'SERVICE_FAILED',
      `Damselfly runs in mosquitto's place, but the next start of the machine is not settled: ${left.join('; ')}`,
    )
  }

  /** What an earlier switch left that was cut off, in words; undefined when it looks like none. */
  async #cutOff(isOurs: boolean): Promise<string | undefined> {
    const machine = this.#machine
    const isEnabled = async (unit: string) =>
      (await machine.run('systemctl', ['is-enabled', '--quiet', unit])).code === 0
    if (!(await isEnabled(theirs)) || !(await isInstalled(machine))) return undefined
    const back = `sudo systemctl stop ${account}; sudo systemctl start mosquitto`
    if (!isOurs)
      return `mosquitto does not run; if a switch was cut off: ${back}, and then this command again`
    return `Damselfly runs in mosquitto's place, but a switch was cut off at its end. Finish it: sudo systemctl enable ${account}; sudo systemctl disable mosquitto. Or go back: ${back}`
  }

  async #refuse(): Promise<void> {
    const machine = this.#machine
    const reasons = [...machine.refusals(), ...(await machine.lacksSystemd())]
    if (reasons.length === 0) {
      const isActive = async (unit: string) =>
        (await machine.run('systemctl', ['is-active', '--quiet', unit])).code === 0
      const [isTheirs, isOurs] = [await isActive(theirs), await isActive(ours)]
      const cutOff = isTheirs ? undefined : await this.#cutOff(isOurs)
      if (cutOff !== undefined) throw new DamselflyError('SERVICE_REFUSED', cutOff)
      if (!isTheirs)
        reasons.push(
          'mosquitto does not run as a service (systemctl status mosquitto): start it, or import without --switch and start Damselfly by sudo damselfly service install',
        )
      if (isOurs)
        reasons.push('Damselfly runs as a service already: stop it first, with sudo systemctl stop damselfly')
    }
    if (reasons.length > 0) throw new DamselflyError('SERVICE_REFUSED', reasons.join('\n'))
  }

  /** The account, the folders, the settings and the unit; it is neither enabled nor started. */
  async #settle(): Promise<void> {
    const { print, move, file, packageDir = ownPackage, workingDir = process.cwd(), node } = this.#request
    const copies = await readCopies(move.copies)
    for (const line of importReport(move, paintFor(process.stdout), copies.left)) print(line)
    print('')
    const options = {
      ...this.#request,
      packageDir,
      workingDir,
      isIdle: true,
      ...(node === undefined ? {} : { node }),
    }
    const settings = async (): Promise<void> => {
      const gid = await this.#groupId()
      const target = { cwd: this.#house.cwd, configDir: this.#house.cwd, gid }
      for (const line of await putFiles(await planFiles(move, target, file, copies), target)) print(line)
    }
    // a house that is there already goes before the example that comes with the package
    const isHouse =
      (await has(join(workingDir, '.env'))) || (await has(join(workingDir, 'config/damselfly.yaml')))
    if (!isHouse) await settings()
    await serviceInstall(options)
    await settings()
    await this.#giveSettings()
    for (const { path } of move.references)
      for (const line of await letIn(this.#machine, account, path)) print(line)
  }

  /** Names, rights and passwords are for the service's account, and for nobody else. */
  async #giveSettings(): Promise<void> {
    const gid = await this.#groupId()
    if (gid === undefined) return
    const { copies, secrets } = this.#request.move
    for (const name of new Set(['.env', 'damselfly.yaml', ...[...copies, ...secrets].map(({ to }) => to)]))
      await chown(join(this.#house.cwd, name), this.#machine.uid, gid)
  }

  async #groupId(): Promise<number | undefined> {
    const { code, stdout } = await this.#machine.run('getent', ['group', account])
    return code === 0 ? Number(stdout.split(':')[2]) : undefined
  }

  /** As root, and as the account that will read them. */
  async #check(): Promise<void> {
    const { settings } = await settingsReader(this.#house).read()
    setLimits(settings.limits)
    const { packageDir = ownPackage, node = process.execPath } = this.#request
    const main = join(packageDir, 'dist/main.js')
    const environment = ['CONFIG_DIR', 'STATE_DIRECTORY'].map(
      (name) => `${name}=${this.#house.environment[name]}`,
    )
    const command = ['-u', account, '--', 'env', '-C', this.#house.cwd, ...environment, node, main, 'check']
    const { code, stdout } = await this.#machine.run('runuser', command)
    if (code !== 0)
      throw new DamselflyError(
        'SERVICE_REFUSED',
        `the account ${account} cannot use these settings: ${stdout.trim() || 'see above'}`,
      )
  }

  async #copy(): Promise<{ readonly store: ImportStore; readonly copy: RetainedCopy }> {
    const { move, credentials, print, retainedAsSeen = false } = this.#request
    const door = sourceDoor(move.doors)
    const store = await openImportStore(this.#machine.path(dataDir))
    let copy: RetainedCopy | undefined
    try {
      copy = await RetainedCopy.begin({
        door,
        credentials,
        store,
        queueMessagesMax: move.queueMessagesMax,
        countWaitMs: countWaitMsOf(move),
      })
      if (!retainedAsSeen) await refuseIfMissing(copy, { move, door, credentials })
      print(`copied ${copy.topics.size} retained messages, and what changes meanwhile`)
      return { store, copy }
    } catch (error) {
      await copy?.close().catch(() => {}) // the first failure is the one to tell
      await store.close()
      throw error
    }
  }

  /** The service's account owns its data: they were written as root. */
  async #giveData(): Promise<void> {
    const [uid, gid] = (await this.#machine.must('getent', 'passwd', account))
      .split(':')
      .slice(2, 4)
      .map(Number)
    if (uid === undefined || gid === undefined) return
    const folder = this.#machine.path(dataDir)
    for (const name of ['', ...(await readdir(folder, { recursive: true }))]) {
      const path = join(folder, name)
      if (!(await lstat(path)).isSymbolicLink()) await chown(path, uid, gid)
    }
  }

  async #start(): Promise<void> {
    const { code } = await this.#machine.run('systemctl', ['start', ours])
    if (code === 0) return
    throw new DamselflyError('SERVICE_FAILED', `Damselfly did not start; ${await this.#lastLines()}`)
  }

  /** Of the service's log, which says why. */
  async #lastLines(): Promise<string> {
    const log = await this.#machine.run('journalctl', ['-u', ours, '-n', '20', '-o', 'cat', '--no-pager'])
    return `its last lines:\n${log.stdout.trimEnd()}`
  }

  async #verify(before: ReadonlyMap<string, Answer>, copy: RetainedCopy): Promise<void> {
    const { move, credentials } = this.#request
    const now = await askAll(move.doors, credentials)
    const different = [...before].filter(([door, answer]) => answer !== 'absent' && now.get(door) !== answer)
    if (different.length > 0) {
      const list = different.map(
        ([door, answer]) => `${door}: mosquitto ${answer}, Damselfly ${now.get(door)}`,
      )
      throw new DamselflyError(
        'SERVICE_FAILED',
        `it does not answer as mosquitto did:\n${list.join('\n')}\n${await this.#lastLines()}`,
      )
    }
    const missing = await missingOf(copy.topics, sourceDoor(move.doors), credentials)
    if (missing.length === 0) return
    throw new DamselflyError(
      'SERVICE_FAILED',
      `${missing.length} of ${copy.topics.size} retained messages are not there, such as that of ${missing[0]}`,
    )
  }

  #throwIfInterrupted(): void {
    if (this.#signal.aborted) throw new DamselflyError('SERVICE_FAILED', 'it was interrupted')
  }

  async #goBack(cause: unknown): Promise<void> {
    const { print } = this.#request
    print(`Going back to mosquitto: ${reasonOf(cause)}`)
    await this.#machine.run('systemctl', ['stop', ours])
    await this.#machine.run('systemctl', ['disable', ours])
    const { code } = await this.#machine.run('systemctl', ['start', theirs])
    print(
      code === 0
        ? 'mosquitto runs again. The settings of Damselfly stay where they are; mend what is told, and try again.'
        : 'mosquitto did not start again! Start it with: sudo systemctl stop damselfly; sudo systemctl start mosquitto',
    )
  }
}

const ownPackage = fileURLToPath(new URL('../..', import.meta.url))

/** The house of the installed service, as its unit has it. */
function serviceHouse(machine: Machine): House {
  return {
    cwd: machine.path(configDir),
    environment: {
      CONFIG_DIR: machine.path(configDir),
      STATE_DIRECTORY: machine.path(dataDir),
      RUNTIME_DIRECTORY: machine.path('/run/damselfly'),
    },
    isService: true,
  }
}

async function has(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
