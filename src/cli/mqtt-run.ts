import { DamselflyError } from '../core/errors.ts'
import { version } from '../daemon/version.ts'
import { exitCodes } from './exit-codes.ts'
import { type MqttArguments, readArguments } from './mqtt-arguments.ts'
import { helpOf, type MqttTool } from './mqtt-letters.ts'
import { unreadCredentials } from './mqtt-options.ts'
import { reportFailure } from './report.ts'

/**
 * Runs one of mosquitto's tools with the words of its command line. What the broker refuses gives its reason code as exit
 * code, as it does there; `--quiet` tells nothing but what was not understood.
 * @throws DamselflyError `USAGE`
 */
export async function runTool(
  tool: MqttTool,
  argv: readonly string[],
  run: (given: MqttArguments) => Promise<void>,
): Promise<void> {
  // whoever asks for help may have written anything before it
  if (argv.includes('--help')) return console.log(helpOf(tool))
  const given = await readArguments(tool, argv)
  if (given.has('--version')) return console.log(`damselfly ${version()}`)
  if (given.has('--quiet')) console.error = () => {}
  try {
    await run(given)
  } catch (error) {
    if (error instanceof DamselflyError && error.code === 'USAGE') throw error
    const refusal = refusalOf(error)
    if (given.has('--quiet')) process.exitCode = exitCodes.failed
    else {
      reportFailure(error)
      if (isOfStranger(refusal)) await tellUnread(given)
    }
    process.exitCode = refusal ?? process.exitCode ?? exitCodes.failed
  }
}

async function tellUnread(given: MqttArguments): Promise<void> {
  const file = await unreadCredentials(given)
  if (file === undefined) return
  console.error(`${file} may have a name and a password, and may not be read: use sudo, or -u and -P`)
}

/** Bad user name or password, and not authorised. */
function isOfStranger(code: number | undefined): boolean {
  return code === 4 || code === 5 || code === 0x86 || code === 0x87
}

/** MQTT 3.1.1, table 3.1; MQTT 5, table 3-1. */
function refusalOf(error: unknown): number | undefined {
  const code = ((error as Error | undefined)?.cause as { readonly code?: unknown } | undefined)?.code
  return typeof code === 'number' && code > 0 && code < 256 ? code : undefined
}
