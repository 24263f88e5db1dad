import { DamselflyError } from '../core/errors.ts'
import { findBrokers } from '../core/find-brokers.ts'
import type { FoundBroker } from '../core/found-brokers.ts'
import { exitCodes } from './exit-codes.ts'
import { plain, untilInterrupted } from './terminal.ts'

const secondsDefault = 3
const secondsMax = 600

/**
 * Lists the MQTT brokers that tell of themselves on the networks of this machine; exit code 1 when there are none.
 * @throws DamselflyError `USAGE`, `BROKER_UNREACHABLE`
 */
export async function discover(options: {
  readonly seconds?: string
  readonly json?: boolean
}): Promise<void> {
  const { seconds = String(secondsDefault), json = false } = options
  if (!/^\d+(\.\d+)?$/.test(seconds) || !(Number(seconds) > 0 && Number(seconds) <= secondsMax))
    throw new DamselflyError(
      'USAGE',
      `--seconds is a number above 0, at most ${secondsMax}, not "${seconds}"`,
    )
  const signal = untilInterrupted()
  const found = await findBrokers({ timeoutMs: Number(seconds) * 1_000, signal }).catch((error: unknown) => {
    if (signal.aborted) return []
    throw error
  })
  if (json) console.log(JSON.stringify(found))
  else if (found.length > 0) console.log(brokerLines(found).join('\n'))
  else
    console.error(
      `no broker tells of itself on this network within ${seconds} s; mosquitto never does, others only on their own network`,
    )
  process.exitCode = found.length > 0 ? exitCodes.ok : exitCodes.failed
}

/** A table for a person; what strangers call themselves moves no cursor. */
function brokerLines(found: readonly FoundBroker[]): string[] {
  const rows = [
    ['NAME', 'ADDRESS', 'PORT', 'TLS', 'VERSION', 'HOST'],
    ...found.map(({ name, addresses, port, isSecure, version = '', host }) =>
      [name, addresses.join(' '), String(port), isSecure ? 'yes' : 'no', version, host].map(plain),
    ),
  ]
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  )
}
