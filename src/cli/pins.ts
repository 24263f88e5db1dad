import type { ControlAnswer, PinReport } from '../control/protocol.ts'
import { DamselflyError } from '../core/errors.ts'
import { ask, askOnce } from './ask.ts'
import { pinTable } from './pin-table.ts'
import { Screen } from './screen.ts'
import { paintFor, untilInterrupted } from './terminal.ts'

/**
 * Shows the pins of the running daemon: on a terminal until Ctrl-C, as they change; else once.
 * @throws DamselflyError `DAEMON_UNREACHABLE`, also when the daemon stops meanwhile; `CONNECTION_REFUSED`
 */
export async function pins(options: { readonly once?: boolean; readonly json?: boolean }): Promise<void> {
  if (options.once === true || options.json === true || process.stdout.isTTY !== true)
    return await showOnce(options)
  const signal = untilInterrupted()
  const screen = new Screen(process.stdout)
  const paint = paintFor(process.stdout)
  const shown = new Map<string, PinReport>()
  for await (const answer of ask({ watch: 'pins' }, signal)) {
    take(shown, answer)
    screen.show([...pinTable([...shown.values()], paint), '', paint('dim', 'Ctrl-C ends')])
  }
  if (!signal.aborted) throw new DamselflyError('DAEMON_UNREACHABLE', 'Damselfly has stopped')
}

async function showOnce({ json }: { readonly json?: boolean }): Promise<void> {
  const answer = await askOnce({ get: 'pins' })
  const all = 'pins' in answer ? answer.pins : []
  if (json === true) console.log(JSON.stringify(all))
  else console.log(pinTable(all, paintFor(process.stdout)).join('\n'))
}

function take(shown: Map<string, PinReport>, answer: ControlAnswer): void {
  if ('pins' in answer) for (const pin of answer.pins) shown.set(pin.name, pin)
  if ('pin' in answer) shown.set(answer.pin.name, answer.pin)
  if ('removed' in answer) shown.delete(answer.removed)
}
