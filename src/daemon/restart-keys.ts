import type { Settings } from '../config/settings.ts'

/** What holds for as long as the process runs, and its key in `.env`. */
const restartKeys = {
  name: 'NAME',
  dataDir: 'DATA_DIR',
  configDir: 'CONFIG_DIR',
  gpioChip: 'GPIO_CHIP',
  pwmDir: 'PWM_DIR',
  logFormat: 'LOG_FORMAT',
} as const

export interface ReloadableSettings {
  readonly settings: Settings
  /** The keys of `.env` whose change waits for a restart. */
  readonly waiting: readonly string[]
}

/** The new settings, but for those that hold for as long as the process runs. */
export function withoutRestart(now: Settings, next: Settings): ReloadableSettings {
  const { name, dataDir, configDir, gpioChip, pwmDir, logFormat, controlSocket } = now
  const fixed = { name, dataDir, configDir, gpioChip, pwmDir, logFormat, controlSocket }
  const changed = Object.entries(restartKeys).filter(
    ([key]) => next[key as keyof typeof restartKeys] !== now[key as keyof typeof restartKeys],
  )
  const waiting: string[] = changed.map(([, key]) => key)
  // from a broker of our own to one elsewhere, or back
  const hasTurned = (now.remote === undefined) !== (next.remote === undefined)
  if (hasTurned) waiting.push('BROKER_URL')
  return { settings: { ...next, ...fixed, ...(hasTurned ? { remote: now.remote } : {}) }, waiting }
}
