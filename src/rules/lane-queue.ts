import { Fifo } from '../core/fifo.ts'
import { type Shared, SharedBytes } from './shared-bytes.ts'

/** What a `LaneQueue` needs to know. */
export interface LaneQueueOptions<Job> {
  readonly jobsMax: number
  readonly bytesMax: number
  /** Lanes that are worked on at the same time. */
  readonly lanesMax: number
  /** Does one job; must not throw or reject. */
  readonly work: (job: Job) => Promise<void> | void
  /** Told of each job that had to go because the queue was full. */
  readonly onDrop: (job: Job, cause: 'jobs' | 'bytes') => void
  /** Told about once a second while no other lane gets its turn, because as many as may be are worked on. */
  readonly onBusy?: () => void
}

interface Entry<Job> {
  readonly job: Job
  readonly bytes: number
  readonly held: readonly Shared[]
  readonly lane: Lane<Job>
}

interface Lane<Job> {
  readonly name: string
  readonly waiting: Fifo<Entry<Job>>
  /** Ready: it has work and awaits its turn. A lane stands in `#ready` once, and only then. */
  state: 'idle' | 'ready' | 'running'
}

/** How long jobs that finish at once may go on before the event loop gets its turn. */
const turnMs = 4
/** Lanes that wait for so long are held up. */
const busyMs = 1_000

/**
 * Jobs in lanes: within a lane one after the other, in order; lanes side by side, `lanesMax` at a time, in
 * turn. A full queue drops its oldest job. Nothing runs inside `push`: work begins in a later turn of the
 * event loop, so whoever pushes is never delayed or re-entered. Who wants it may `runNow` what need not wait.
 */
export class LaneQueue<Job> {
  readonly #options: LaneQueueOptions<Job>
  readonly #lanes = new Map<string, Lane<Job>>()
  /** Lanes that have work and are not running, in the order in which they get their turn. */
  readonly #ready = new Set<Lane<Job>>()
  /** All that waits, oldest first. A Set keeps the order and lets go of any member at once. */
  readonly #waiting = new Set<Entry<Job>>()
  readonly #onIdle: (() => void)[] = []
  readonly #shared = new SharedBytes()
  #bytes = 0
  #running = 0
  #isPumpDue = false
  #lastStartMs = 0
  #busyTimer: NodeJS.Timeout | undefined

  constructor(options: LaneQueueOptions<Job>) {
    this.#options = options
  }

  /** Jobs that wait; those that run are not counted. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether a job of this lane waits or runs. */
  has(laneName: string): boolean {
    return this.#lanes.has(laneName)
  }

  /** Whether a job of this lane has to wait for other lanes. */
  isHeldUp(laneName: string): boolean {
    return this.#running >= this.#options.lanesMax && this.#lanes.get(laneName)?.state !== 'running'
  }

  /** Whether a job of this lane need not wait for anything: then it may as well run now. */
  isFree(laneName: string): boolean {
    if (this.#waiting.size > 0 || this.#running >= this.#options.lanesMax) return false
    return this.#running === 0 || !this.#lanes.has(laneName)
  }

  /** Bytes of the jobs that wait. */
  get bytes(): number {
    return this.#bytes + this.#shared.bytes
  }

  /**
   * Adds a job at the end of its lane. One of more than `bytesMax` is dropped at once.
   * @param held what it keeps from being forgotten, which counts once for all jobs that hold it
   * @returns whether it was taken
   */
  push(laneName: string, job: Job, bytes: number, held: readonly Shared[] = []): boolean {
    const heldBytes = held.reduce((sum, thing) => sum + thing.bytes, 0)
    if (bytes + heldBytes > this.#options.bytesMax) {
      this.#options.onDrop(job, 'bytes')
      return false
    }
    while (this.#waiting.size >= this.#options.jobsMax) this.#dropOldest('jobs')
    this.#shared.hold(held)
    while (this.bytes + bytes > this.#options.bytesMax) this.#dropOldest('bytes')
    const lane = this.#laneOf(laneName)
    const entry = { job, bytes, held, lane }
    lane.waiting.push(entry)
    this.#waiting.add(entry)
    this.#bytes += bytes
    if (lane.state === 'idle') this.#queueUp(lane)
    this.#pumpSoon()
    return true
  }

  /** Does a job of a free lane, without a wait. @returns whether that is all; if not, it runs as one of its lane */
  runNow(laneName: string, job: Job): boolean {
    const done = this.#options.work(job)
    if (done === undefined) return true
    const lane = this.#laneOf(laneName)
    this.#ready.delete(lane) // the job may have pushed another
    this.#follow(lane, done)
    return false
  }

  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0 && this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  /** Forgets what waits; what runs goes on. */
  clear(): void {
    for (const { lane } of this.#waiting) lane.waiting.clear()
    for (const { name } of this.#ready) this.#lanes.delete(name)
    this.#ready.clear()
    this.#waiting.clear()
    this.#shared.clear()
    this.#bytes = 0
    this.#settle()
  }

  #laneOf(name: string): Lane<Job> {
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = { name, waiting: new Fifo(), state: 'idle' }
      this.#lanes.set(name, lane)
    }
    return lane
  }

  #dropOldest(cause: 'jobs' | 'bytes'): void {
    for (const entry of this.#waiting) {
      // the oldest of all is the oldest of its lane
      const { lane } = entry
      lane.waiting.shift()
      this.#take(entry)
      if (lane.waiting.size === 0 && lane.state === 'ready') {
        this.#ready.delete(lane)
        this.#lanes.delete(lane.name)
      }
      this.#options.onDrop(entry.job, cause)
      return
    }
  }

  #take(entry: Entry<Job>): void {
    this.#waiting.delete(entry)
    this.#bytes -= entry.bytes
    this.#shared.release(entry.held)
  }

  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    setImmediate(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    const untilMs = performance.now() + turnMs
    for (const lane of this.#ready) {
      if (this.#running >= this.#options.lanesMax) {
        this.#watchBusy()
        break
      }
      this.#ready.delete(lane)
      const entry = lane.waiting.shift() as Entry<Job> // a ready lane has work
      this.#take(entry)
      this.#start(lane, entry.job)
      if (performance.now() > untilMs) {
        this.#pumpSoon()
        break
      }
    }
    this.#settle()
  }

  #start(lane: Lane<Job>, job: Job): void {
    const done = this.#options.work(job)
    if (done === undefined) this.#rest(lane)
    else this.#follow(lane, done)
  }

  #follow(lane: Lane<Job>, done: Promise<void>): void {
    lane.state = 'running'
    this.#running++
    this.#lastStartMs = performance.now()
    void done.finally(() => {
      this.#running--
      this.#rest(lane)
      this.#pumpSoon()
    })
  }

  /** Many topics at once are no trouble; when none gets its turn for long, an action hangs. */
  #watchBusy(): void {
    if (this.#options.onBusy === undefined || this.#busyTimer !== undefined) return
    this.#busyTimer = setTimeout(() => {
      this.#busyTimer = undefined
      if (this.#running < this.#options.lanesMax || this.#ready.size === 0) return
      if (performance.now() - this.#lastStartMs >= busyMs) this.#options.onBusy?.()
      this.#watchBusy()
    }, busyMs)
    this.#busyTimer.unref()
  }

  #rest(lane: Lane<Job>): void {
    if (lane.waiting.size > 0) this.#queueUp(lane)
    else this.#lanes.delete(lane.name)
  }

  #queueUp(lane: Lane<Job>): void {
    lane.state = 'ready'
    this.#ready.add(lane)
  }

  #settle(): void {
    if (this.#waiting.size > 0 || this.#running > 0) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }
}
