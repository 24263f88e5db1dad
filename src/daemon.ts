import { ActionHost } from './actions/host.ts'
import type { Settings } from './config/settings.ts'
import { type FileWatch, watchFiles } from './config/watch-files.ts'
import type { DaemonStatus, ReloadOutcome } from './control/protocol.ts'
import { reloadOutcome, statusOf } from './control/status.ts'
import { TraceHub } from './control/trace-hub.ts'
import { Counters } from './core/counters.ts'
import { reasonOf } from './core/errors.ts'
import { limits, setLimits } from './core/limits.ts'
import { readPinOrder } from './core/pin-order.ts'
import type { BrokerDoor, DoorState, Hub, ServiceManager } from './core/ports.ts'
import { type Problem, ProblemsError } from './core/problems.ts'
import { linkInWords } from './core/remote-broker.ts'
import { brokerDoor } from './daemon/broker-door.ts'
import { filesGone } from './daemon/files-gone.ts'
import { startLimitsReport } from './daemon/limits-report.ts'
import { Outside } from './daemon/outside.ts'
import { Presence } from './daemon/presence.ts'
import { probe } from './daemon/probe.ts'
import { readWhole } from './daemon/read-whole.ts'
import { withoutRestart } from './daemon/restart-keys.ts'
import type { SettingsReader } from './daemon/settings-reader.ts'
import { version } from './daemon/version.ts'
import { listeningFields, outputNames, statusLine } from './daemon/words.ts'
import { PinBoard } from './gpio/board.ts'
import { PinOutbox } from './gpio/outbox.ts'
import { type PinTopics, startPinTopics } from './gpio/pin-topics.ts'
import { startPresses } from './gpio/presses.ts'
import { PulseCounters } from './gpio/pulse-counters.ts'
import { HomeAssistant } from './homeassistant/home-assistant.ts'
import { Dispatcher } from './rules/dispatcher.ts'
import { Sensors } from './sensors/sensors.ts'
import { Telemetry } from './sensors/telemetry.ts'
import type { Lan } from './system/lan.ts'
import type { ProcessLog } from './system/log.ts'
import { tellFewFiles } from './system/open-files.ts'
import { startWatchdog } from './system/watchdog.ts'

/** How often the service manager is told that the store is still being opened. */
const openingMs = 20_000

/** How long rules may go on with what they have taken when the daemon stops. */
const stopGraceMs = 5_000

/** How long they may drive outputs meanwhile; then these go to `on_stop`, whatever holds up the stop. */
const outputGraceMs = 1_500

export interface DaemonParts {
  readonly settings: Settings
  /** Reads the settings again, for a reload. */
  readonly reader: SettingsReader
  readonly log: ProcessLog
  /** Started, so that the first answer is there. */
  readonly lan: Lan
  readonly manager: ServiceManager
  /** Shows what is wrong with a configuration that was read again. */
  readonly tellProblems: (problems: readonly Problem[]) => void
  /** Called at the end of the start. */
  readonly onReady: (state: DaemonState) => void
}

/** The house as it stands, for the start block and the status line. */
export interface DaemonState extends DoorState {
  readonly settings: Settings
  readonly pins: PinBoard
}

/** What every part that speaks of pins is given. */
interface PinSpeaker {
  readonly board: PinBoard
  readonly outbox: PinOutbox
  readonly log: ProcessLog
}

/** What follows a reload once everything runs. */
interface Running {
  readonly dispatcher: Dispatcher
  readonly sensors: Sensors
  readonly telemetry: Telemetry
  readonly homeAssistant: HomeAssistant
}

/**
 * The composition root: it makes the parts, joins them, and passes new settings on to them.
 * `start` and `stop` are called once each; `reload` at any time in between.
 */
export class Daemon {
  readonly #parts: DaemonParts
  readonly #counters = new Counters()
  readonly #pins: PinBoard
  readonly #trace = new TraceHub({
    rules: () => this.#settings.rules,
    orderOf: (message) => readPinOrder(message, this.#settings.name, this.#settings.pins),
  })
  readonly #startedAt = new Date()
  /** What undoes the start, to be called last in, first out. */
  readonly #ends: (() => Promise<unknown> | unknown)[] = []
  #settings: Settings
  #pulses: PulseCounters | undefined
  #broker: BrokerDoor | undefined
  #presence: Presence | undefined
  #running: Running | undefined
  #starting: Promise<void> | undefined
  #reloading: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #outside: Outside | undefined
  #isReloadDue = false
  #lastReload: ReloadOutcome | undefined
  #watching: FileWatch | undefined

  constructor(parts: DaemonParts) {
    this.#parts = parts
    this.#settings = parts.settings
    const { gpioChip, pwmDir, dataDir } = parts.settings
    this.#pins = new PinBoard({
      choice: gpioChip,
      ...(pwmDir === undefined ? {} : { pwmDir }),
      dataDir,
      log: parts.log,
      counters: this.#counters,
      totalOf: (pin) => this.#pulses?.totalOf(pin) ?? 0,
    })
  }

  /**
   * The store first, for it is what only one Damselfly can hold; then the pins, so that they have a known state soon;
   * doors last, so that nobody talks to half a house.
   * @throws what went wrong, when all that had been started is stopped again
   */
  async start(): Promise<void> {
    try {
      this.#starting = this.#start()
      await this.#starting
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Finishes what was taken, drives the outputs to `on_stop`, closes everything. Once; never throws. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#parts.manager.notify({ kind: 'stopping' })
    await this.#starting?.catch(() => {}) // its failure is told by start()
    const outputTimer = setTimeout(() => void this.#end(() => this.#pins.close()), outputGraceMs)
    await this.#reloading
    for (const end of this.#ends.splice(0).reverse()) await this.#end(end)
    clearTimeout(outputTimer)
    this.#parts.log.debug(this.#counters.snapshot(), 'counted since the start')
  }

  async #end(end: () => Promise<unknown> | unknown): Promise<void> {
    try {
      await end()
    } catch (error) {
      this.#parts.log.error({ err: error }, 'stop went on after an error')
    }
  }

  /** Reads the settings again and passes them on. A mistake leaves everything as it is. Never throws. */
  reload(): Promise<void> {
    this.#isReloadDue = true
    this.#reloading ??= this.#reloadWhileDue().finally(() => {
      this.#reloading = undefined
    })
    return this.#reloading
  }

  async #start(): Promise<void> {
    const { log, lan, manager, onReady } = this.#parts
    const { name, dataDir } = this.#settings
    const statusTopic = `damselfly/${name}/status`
    setLimits(this.#settings.limits)
    if (this.#settings.remote === undefined) await tellFewFiles(limits.connectionsMax, log)

    const broker = await this.#openBroker(statusTopic)
    const rulesHub = broker.hubFor('$rules')
    const hub = broker.hubFor('$pins')
    const { speaker, pulses } = await this.#openPins(hub)

    const publish = rulesHub.publish.bind(rulesHub)
    const actions = new ActionHost({ dataDir, log, gpio: this.#pins, publish })
    this.#ends.push(() => actions.close())

    const pinTopics = await this.#tellPins(hub, speaker, pulses)
    const presence = new Presence(hub, statusTopic, log)
    this.#presence = presence
    this.#ends.push(() => presence.close())
    await presence.start()
    if (hub.remote !== undefined) this.#ends.push(hub.remote.onRenewed(() => pinTopics.tellStates()))

    const sensors = new Sensors({ hub, name, log, counters: this.#counters })
    this.#ends.push(() => sensors.close()) // when no rule is left to take a cleared state for a value
    const dispatcher = await this.#startRules(rulesHub, actions)
    pulses.apply()
    await sensors.start(this.#settings.sensors)
    const told = await this.#startTelling(hub)

    this.#ends.push(() => broker.settle())
    await broker.open(this.#settings)

    const watchdog = startWatchdog({ manager, log, probe: (signal) => probe(broker.hub, signal) })
    const limitsReport = startLimitsReport(this.#counters, log)
    await this.#watch(this.#settings.files)
    this.#ends.push(
      () => watchdog[Symbol.dispose](),
      () => limitsReport[Symbol.dispose](),
      () => this.#watching?.close(),
    )
    this.#running = { dispatcher, sensors, ...told }
    const outside = new Outside({
      broker,
      settings: () => this.#settings,
      status: () => this.#status(),
      reload: async () => {
        await this.reload()
        return this.#lastReload ?? reloadOutcome('Damselfly is starting, or stopping')
      },
      startedAt: this.#startedAt,
      pins: this.#pins,
      trace: this.#trace,
      lan,
      log,
      counters: this.#counters,
    })
    this.#outside = outside
    this.#ends.push(() => outside.close())
    await outside.start()
    manager.notify({ kind: 'ready', status: this.#statusLine() })
    onReady(this.#state())
  }

  /** The store and the broker, without doors. */
  async #openBroker(statusTopic: string): Promise<BrokerDoor> {
    const { log, lan, manager } = this.#parts
    // a large store takes its time to open on a slow card: systemd is not to give up meanwhile
    const opening = setInterval(() => manager.notify({ kind: 'starting', forMs: 3 * openingMs }), openingMs)
    const broker = await brokerDoor({
      settings: this.#settings,
      statusTopic,
      lan,
      log,
      counters: this.#counters,
      onChange: () => this.#doorMoved(),
      onOutOfReach: () => this.#beginAgain(),
    }).finally(() => clearInterval(opening))
    this.#broker = broker
    this.#ends.push(() => broker.close())
    return broker
  }

  /** Under a service manager that starts us again: its mounts are made anew then. */
  #beginAgain(): void {
    const { log, manager } = this.#parts
    if (!manager.isPresent || this.#running === undefined || this.#stopping !== undefined) return
    log.warn({}, 'the disk can be written again, but not by this process: it is started again')
    process.kill(process.pid, 'SIGTERM')
  }

  /** The pins, driven to `initial`. */
  async #openPins(hub: Hub): Promise<{ readonly speaker: PinSpeaker; readonly pulses: PulseCounters }> {
    const { log } = this.#parts
    const { dataDir, pins } = this.#settings
    // closed after all that speak of pins: what they have said has been accepted before the broker closes
    const outbox = new PinOutbox({ hub, log, counters: this.#counters })
    this.#ends.push(
      () => outbox.close(),
      () => this.#pins.close(),
    )
    const speaker = { board: this.#pins, outbox, log }
    const pulses = await PulseCounters.open({ ...speaker, dataDir, counters: this.#counters })
    this.#pulses = pulses
    this.#ends.push(() => pulses.close()) // should the pins not be had
    await this.#pins.start(pins)
    return { speaker, pulses }
  }

  /** What pins say to clients, and take from them. */
  async #tellPins(hub: Hub, speaker: PinSpeaker, pulses: PulseCounters): Promise<PinTopics> {
    const { name } = this.#settings
    const pinTopics = await startPinTopics({ ...speaker, hub, name })
    // the board first, so that on_stop is told; its own end above finds it closed
    this.#ends.push(async () => {
      await this.#pins.close()
      pinTopics.close()
    })
    const presses = startPresses({ ...speaker, name })
    this.#ends.push(
      () => presses.close(),
      () => pulses.close(), // before the board, so that the last totals are told
    )
    return pinTopics
  }

  async #startRules(hub: Hub, actions: ActionHost): Promise<Dispatcher> {
    const { log, lan } = this.#parts
    const dispatcher = new Dispatcher({
      hub,
      actions,
      pins: this.#pins,
      identity: lan.identity,
      log,
      counters: this.#counters,
      isDebug: () => log.level === 'debug',
      tracer: this.#trace,
    })
    dispatcher.start()
    this.#ends.push(() => dispatcher.close(stopGraceMs))
    await dispatcher.apply(this.#settings.rules)
    return dispatcher
  }

  /** Watches exactly these files from now on. */
  async #watch(files: readonly string[]): Promise<void> {
    await this.#watching?.close()
    this.#watching = await watchFiles(files, () => void this.reload())
  }

  /** How the machine is, and, for Home Assistant, what there is. */
  async #startTelling(hub: Hub): Promise<Pick<Running, 'telemetry' | 'homeAssistant'>> {
    const { name } = this.#settings
    const { log } = this.#parts
    const homeAssistant = new HomeAssistant({ hub, name, version: version(), log })
    const onFields = homeAssistant.setTelemetry.bind(homeAssistant)
    const telemetry = new Telemetry({ hub, name, log, onFields })
    this.#ends.push(
      () => telemetry.close(),
      () => homeAssistant.close(),
    )
    await telemetry.start(this.#settings.telemetry)
    await homeAssistant.start(this.#settings)
    return { telemetry, homeAssistant }
  }

  async #reloadWhileDue(): Promise<void> {
    while (this.#isReloadDue) {
      this.#isReloadDue = false
      this.#parts.manager.notify({ kind: 'reloading' })
      try {
        await this.#reload()
      } catch (error) {
        this.#parts.log.error({ err: error }, 'reload failed')
        this.#lastReload = reloadOutcome(reasonOf(error))
      }
      if (this.#running !== undefined)
        this.#parts.manager.notify({ kind: 'ready', status: this.#statusLine() })
    }
  }

  async #reload(): Promise<void> {
    const { log, reader, tellProblems } = this.#parts
    const running = this.#running
    if (running === undefined) return
    let next: Settings
    try {
      const { settings, warnings } = await readWhole(reader, this.#watching)
      const gone = filesGone(this.#settings, settings, process.cwd())
      if (gone.length > 0) throw new ProblemsError(gone)
      const reloadable = withoutRestart(this.#settings, settings)
      next = reloadable.settings
      if (reloadable.waiting.length > 0)
        log.warn({ settings: reloadable.waiting }, 'some changes need a restart')
      tellProblems(warnings.map((warning) => ({ ...warning, isWarning: true })))
    } catch (error) {
      if (!(error instanceof ProblemsError)) throw error
      const mistakes = error.problems.filter(({ isWarning }) => isWarning !== true)
      tellProblems(error.problems)
      log.error({ mistakes: mistakes.length }, 'not reloaded: the last good configuration stays')
      this.#lastReload = reloadOutcome(mistakes)
      return
    }
    const changedActions = await reader.changedActions()
    if (changedActions.length > 0) log.warn({ files: changedActions }, 'changed action code needs a restart')
    const before = this.#settings
    this.#settings = next
    log.level = next.logLevel
    if (String(before.files) !== String(next.files)) await this.#watch(next.files)
    const { connectionsMax } = limits
    setLimits(next.limits)
    if (next.remote === undefined && limits.connectionsMax > connectionsMax)
      await tellFewFiles(limits.connectionsMax, log)
    try {
      await this.#broker?.apply(next)
    } catch (error) {
      log.error({ reason: reasonOf(error) }, 'doors not opened')
    }
    await this.#outside?.apply(next)
    await this.#pins.apply(next.pins)
    this.#pulses?.apply()
    // steps know the outputs and what they understand: with others, every rule is new
    await running.dispatcher.apply(next.rules, outputNames(before) !== outputNames(next))
    await running.sensors.apply(next.sensors)
    await running.telemetry.apply(next.telemetry)
    void running.homeAssistant.apply(next) // may wait for a broker elsewhere
    this.#lastReload = reloadOutcome()
    log.info({ rules: next.rules.length, pins: next.pins.length }, 'configuration reloaded')
  }

  /** Our own broker listens elsewhere now, or the connection to another one came or went. */
  #doorMoved(): void {
    const { listeners = [], pending = [], link } = this.#broker?.state ?? {}
    if (link?.isConnected) this.#presence?.tellOnline()
    if (this.#running === undefined) return // the start block tells
    if (link === undefined) {
      const fields = listeningFields({ listeners, pending })
      if (listeners.length > 0) this.#parts.log.info(fields, 'listening')
      else this.#parts.log.error(fields, 'listening nowhere')
    }
    this.#parts.manager.notify({ kind: 'status', status: this.#statusLine() })
  }

  #statusLine(): string {
    return statusLine(this.#settings, this.#state(), this.#lastReload)
  }

  #state(): DaemonState {
    const { addresses = [], listeners = [], pending = [], link } = this.#broker?.state ?? {}
    const door = { addresses, listeners, pending, ...(link === undefined ? {} : { link }) }
    return { settings: this.#settings, ...door, pins: this.#pins }
  }

  #status(): DaemonStatus {
    const { addresses = [], listeners = [], pending = [], link, ...amounts } = this.#broker?.state ?? {}
    return statusOf({
      version: version(),
      host: this.#parts.lan.identity.host,
      startedAt: this.#startedAt,
      settings: this.#settings,
      addresses,
      listeners,
      pending,
      amounts,
      ...(link === undefined ? {} : { link: linkInWords(link) }),
      board: this.#pins,
      lastReload: this.#lastReload,
      counters: this.#counters.snapshot(),
    })
  }
}
