import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TelemetryReading } from '../core/telemetry.ts'

/** What `systeminformation` is asked for where the kernel has no file for it. */
export type Asked = 'temperature' | 'wifi'

const program = fileURLToPath(new URL('./machine-program.js', import.meta.url))

/**
 * What `systeminformation` knows: it also asks the programs of other systems and drivers (`iw`, `nmcli`, `sensors`).
 * Empty when it does not know, fails, needs longer than `timeoutMs`, or `signal` aborts.
 *
 * @NOTE The library runs programs by execSync, which no time limit can end and which would stop the whole process
 * meanwhile; loaded, it also keeps some 10 MB. Hence a process of its own, which ends.
 */
export function askMachine(
  asked: readonly Asked[],
  timeoutMs: number,
  signal?: AbortSignal,
  run: string = program,
): Promise<TelemetryReading> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [run, ...asked],
      // no variable is passed on: the environment may hold secrets
      { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, timeout: timeoutMs, killSignal: 'SIGKILL', signal },
      (error, stdout) => resolve(error === null ? readingIn(stdout) : {}),
    )
  })
}

function readingIn(text: string): TelemetryReading {
  try {
    const { temperature, wifi } = JSON.parse(text) as Record<string, unknown>
    return {
      ...(isNumber(temperature) ? { temperature: Number(temperature.toFixed(1)) } : {}),
      ...(isNumber(wifi) ? { wifi } : {}),
    }
  } catch {
    return {} // some program printed into it
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
