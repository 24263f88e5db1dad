// What promises about pins are proved with beside ../service.mjs: the log of the lines, their pulls, what the states must be.
import { spawn } from 'node:child_process'
import { openSync, readFileSync, readlinkSync, readSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { connect as connectClient, dropIn, promise, property, until } from '../service.mjs'
import { EdgeLog } from './edge-log.mjs'

export * from '../service.mjs'

/** Each pin's line; those that are inputs are driven by `pull`. */
export const lines = {
  up: 10,
  down: 11,
  valve: 5,
  lamp: 17,
  relay: 18,
  fan: 19,
  porch: 20,
  attic: 21,
  bell: 22,
  water: 24,
  door: 27,
}

const outputs = ['up', 'down', 'valve', 'lamp', 'relay', 'fan', 'porch']
const isActiveLow = (pin) => ['relay', 'bell', 'water', 'door'].includes(pin)

export const base = `damselfly/${hostname()}`
export const setOf = (pin) => `${base}/pins/${pin}/set`

/** The level that a line has now: 0 or 1. */
export const level = (pin) => Number(readFileSync(`/run/chip/sim_gpio${lines[pin]}/value`, 'utf8'))

/** What the line says of the pin. */
const truth = (pin) => ((level(pin) === 1) === isActiveLow(pin) ? 'off' : 'on')

/** Drives an input from outside; takes effect at once. */
export function pull(pin, direction) {
  writeFileSync(`/run/chip/sim_gpio${lines[pin]}/pull`, `pull-${direction}`)
}

const log = new EdgeLog()
let file

/** What the log has by now. */
function upToDate() {
  file ??= openSync('/run/edges', 'r')
  const chunk = Buffer.alloc(65_536)
  for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk))
    log.add(chunk.toString('latin1', 0, length))
  return log
}

/** The log of what happens to lines from now on. */
export function watch(sinceMs = nowMs()) {
  return {
    /** The levels that the line had one after another: '101'. */
    levels: (pin) =>
      upToDate()
        .changes(lines[pin], sinceMs)
        .map(({ level }) => level)
        .join(''),
    /** Its edges, each with the two looks between which it was: `{ afterMs, byMs, level }`. */
    edges: (pin) => upToDate().edges(lines[pin], sinceMs),
    /** Who took and freed the line: `[{ atMs, what }]`. */
    holders: (pin) => upToDate().holders(lines[pin], sinceMs),
    taken: (pin) =>
      upToDate()
        .holders(lines[pin], sinceMs)
        .filter(({ what }) => what === 'took').length,
    both: () => upToDate().both(sinceMs),
    /** Waits until the line has had so many levels. */
    async had(pin, count, seconds = 10) {
      return until(
        (text) => text.length >= count,
        () => this.levels(pin),
        seconds,
      )
    },
    /** The promise, with the log of these pins below it. */
    promise(text, holds, pins, measured) {
      const untilMs = nowMs()
      promise(text, holds, measured)
      for (const pin of pins) console.log(upToDate().text(pin, lines[pin], sinceMs, untilMs))
    },
  }
}

/** Milliseconds since the boot, as in the log. */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** A client of the broker, with the pins' topics; waits for the broker. */
export async function connect(options) {
  const client = await until(
    (found) => found !== undefined,
    () => connectClient(options),
    60,
  )
  return {
    ...client,
    set: (pin, payload, more) => client.publish(setOf(pin), payload, more),
    state: (pin) => client.seen[`${base}/pins/${pin}`],
  }
}

/** Proves that the retained states say what the lines are; they may come a little later than the edge. */
export async function statesAgree() {
  const client = await connect()
  const told = () => outputs.map((pin) => `${pin} ${client.state(pin)}`).join(', ')
  const wanted = () => outputs.map((pin) => `${pin} ${truth(pin)}`).join(', ')
  const text = await until((text) => text === wanted(), told, 5)
  client.end()
  promise(
    'the states on the broker are those of the lines',
    text === wanted(),
    text === wanted() ? text : `${text}, but the lines: ${wanted()}`,
  )
}

export const mainPid = async () => Number(await property('MainPID'))
export const isActive = async () => (await property('ActiveState')) === 'active'

/** Waits until the service is up as another process. @returns whether it is */
export async function isBack(pid) {
  await until((now) => now > 0 && now !== pid, mainPid, 150)
  return until((isUp) => isUp, isActive, 150)
}

/** A line of the unit as it was installed. */
export function unitLine(key) {
  return new RegExp(`^${key}=.*$`, 'm').exec(readFileSync('/etc/systemd/system/damselfly.service', 'utf8'))[0]
}

/** What this kernel does with a line that is freed is its own: safe shows what it drives by holding it. */
export const hold = () => dropIn('hold', `ExecStopPost=\n${unitLine('ExecStopPost')} --hold 1s`)

/** Another program that holds a line, driven to 1. */
export async function holdLine(line) {
  const chip = `/dev/${basename(readlinkSync('/run/chip'))}`
  const child = spawn('gpioset', ['-C', 'heating', '-c', chip, `${line}=1`], { stdio: 'ignore' })
  await until(
    (value) => value === '1',
    () => readFileSync(`/run/chip/sim_gpio${line}/value`, 'utf8').trim(),
  )
  return child
}
