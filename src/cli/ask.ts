import type { House } from '../config/house.ts'
import { readSafeScalars } from '../config/read-safe-scalars.ts'
import { askDaemon } from '../control/client.ts'
import type { ControlAnswer, ControlRequest, ErrorAnswer } from '../control/protocol.ts'
import { DamselflyError } from '../core/errors.ts'
import { chosenHouse } from './chosen-house.ts'

type Answer = Exclude<ControlAnswer, ErrorAnswer>

/**
 * Asks the running daemon of the chosen house, as `askDaemon` does; an error says what to do.
 * @throws DamselflyError `DAEMON_UNREACHABLE`, `CONNECTION_REFUSED`
 */
export async function* ask(request: ControlRequest, signal?: AbortSignal): AsyncGenerator<Answer> {
  const house = await chosenHouse()
  // what is wrong in .env is a matter of `check`, and the daemon may run all the same
  const { scalars } = await readSafeScalars({ ...house, isTerminal: false })
  try {
    yield* askDaemon(scalars.controlSocket, request, signal)
  } catch (error) {
    throw error instanceof DamselflyError ? withRemedy(error, house) : error
  }
}

/** As `ask`, for one answer. */
export async function askOnce(request: ControlRequest): Promise<Answer> {
  for await (const answer of ask(request)) return answer
  throw new DamselflyError('DAEMON_UNREACHABLE', 'Damselfly has stopped while it was asked')
}

function withRemedy(error: DamselflyError, { cwd, isService }: House): DamselflyError {
  const because = { cause: error }
  if (error.code === 'DAEMON_UNREACHABLE') {
    const [where, remedy] = isService
      ? ['', 'sudo systemctl start damselfly; why it ended: journalctl -u damselfly -n 20']
      : [` in ${cwd}`, 'damselfly start']
    return new DamselflyError(
      error.code,
      `Damselfly is not running${where} (${error.message})\nstart it: ${remedy}`,
      because,
    )
  }
  if (error.cause === undefined) return error // it was there, and said why
  const remedy = isService
    ? 'use sudo, or join its group: sudo usermod -aG damselfly $USER, then log in again'
    : 'it is for the user who runs Damselfly, and for root'
  return new DamselflyError(error.code, `${error.message}: ${remedy}`, because)
}
