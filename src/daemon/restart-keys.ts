import type { Scalars } from '../config/scalars.ts'
import type { Settings } from '../config/settings.ts'

/** Of each setting of `.env`: its key, if it holds for as long as the process runs; else that a reload changes it. */
const kinds: Readonly<Record<keyof Scalars, `restart: ${string}` | 'reload'>> = {
  name: 'restart: NAME',
  dataDir: 'restart: DATA_DIR',
  configDir: 'restart: CONFIG_DIR',
  controlSocket: 'restart: DATA_DIR', // beside it
  gpioChip: 'restart: GPIO_CHIP',
  pwmDir: 'restart: PWM_DIR',
  logFormat: 'restart: LOG_FORMAT',
  // the store keeps what it has promised in one way
  durability: 'restart: DURABILITY',
  mdns: 'reload',
  systemIntervalMs: 'reload',
  http: 'reload',
  limits: 'reload',
  logLevel: 'reload',
  remote: 'reload',
  bind: 'reload',
  port: 'reload',
  allowAnonymous: 'reload',
  credentials: 'reload',
}

export interface ReloadableSettings {
  readonly settings: Settings
  /** The keys of `.env` whose change waits for a restart. */
  readonly waiting: readonly string[]
}

/** The new settings, but for those that hold for as long as the process runs. */
export function withoutRestart(now: Settings, next: Settings): ReloadableSettings {
  const fixed = Object.keys(kinds).filter(
    (key) => kinds[key as keyof Scalars] !== 'reload',
  ) as (keyof Scalars)[]
  const waiting = new Set(
    fixed.filter((key) => next[key] !== now[key]).map((key) => kinds[key].replace('restart: ', '')),
  )
  const settings = { ...next, ...Object.fromEntries(fixed.map((key) => [key, now[key]])) }
  // from a broker of our own to one elsewhere, or back
  if ((now.remote === undefined) === (next.remote === undefined)) return { settings, waiting: [...waiting] }
  return { settings: { ...settings, remote: now.remote }, waiting: [...waiting, 'BROKER_URL'] }
}
