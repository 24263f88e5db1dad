import { DamselflyError } from '../core/errors.ts'
import { filterProblem } from '../core/topics.ts'
import { ask } from './ask.ts'
import { paintFor, untilInterrupted } from './terminal.ts'
import { TraceLines } from './trace-lines.ts'

/**
 * Shows each message on its way through the running daemon, until Ctrl-C.
 * @throws DamselflyError `USAGE`, `DAEMON_UNREACHABLE`, also when the daemon stops meanwhile; `CONNECTION_REFUSED`
 */
export async function trace(
  filter: string | undefined,
  options: { readonly all?: boolean; readonly json?: boolean },
): Promise<void> {
  const problem = filter === undefined ? undefined : filterProblem(filter)
  if (problem !== undefined)
    throw new DamselflyError('USAGE', `"${filter}" is not a topic filter: ${problem}`)
  const signal = untilInterrupted()
  const lines = new TraceLines({ paint: paintFor(process.stdout), isAll: options.all === true })
  for await (const answer of ask({ watch: 'trace', ...(filter === undefined ? {} : { filter }) }, signal)) {
    if ('trace' in answer) {
      console.error(`tracing ${filter ?? 'all messages'} at ${answer.name}; Ctrl-C ends`)
      console.error(
        '(refused messages are not shown: damselfly clients, and the log, say who was refused what)',
      )
    }
    if (options.json === true) console.log(JSON.stringify(answer))
    else for (const line of lines.of(answer)) console.log(line)
  }
  if (!signal.aborted)
    throw new DamselflyError('DAEMON_UNREACHABLE', 'Damselfly has stopped, and the trace ends')
}
