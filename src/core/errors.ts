import type { LimitName } from './limits.ts'

/**
 * Every code an expected failure can carry. Codes are stable: scripts and tests may rely on them,
 * never on a message.
 */
export type ErrorCode =
  | 'ACTION_INVALID'
  | 'ACTION_START_FAILED'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'BROKER_CLOSED'
  | 'BROKER_UNREACHABLE'
  | 'CLIENT_UNKNOWN'
  | 'CONFIG_INVALID'
  | 'CONNECTION_CLOSED'
  | 'CONNECTION_REFUSED'
  | 'DAEMON_UNREACHABLE'
  | 'DURATION_INVALID'
  | 'EXEC_FAILED'
  | 'EXPRESSION_FAILED'
  | 'EXPRESSION_INVALID'
  | 'GPIO_BUSY'
  | 'GPIO_DENIED'
  | 'GPIO_FAILED'
  | 'GPIO_NO_CHIP'
  | 'GPIO_NO_LINE'
  | 'HTTP_FAILED'
  | 'LIMIT_REACHED'
  | 'MESSAGE_TOO_LARGE'
  | 'NOT_AUTHORIZED'
  | 'NOT_REGISTERED'
  | 'OPTIONS_INVALID'
  | 'PIN_COMMAND_INVALID'
  | 'PIN_NOT_OUTPUT'
  | 'PIN_UNKNOWN'
  | 'SENSOR_FAILED'
  | 'SERVICE_FAILED'
  | 'SERVICE_REFUSED'
  | 'STEP_ABANDONED'
  | 'STEP_STOPPED'
  | 'STEP_TIMEOUT'
  | 'STORE_FAILED'
  | 'SUBSCRIPTION_REFUSED'
  | 'TIMED_OUT'
  | 'TOPIC_INVALID'
  | 'USAGE'
  | 'VALUE_INVALID'

/**
 * An expected failure: something outside the code was wrong, and a person can put it right.
 * The message says what failed, where, what was found, what was expected.
 * Programmer mistakes are assertions instead.
 */
export class DamselflyError extends Error {
  readonly code: ErrorCode
  /** The bound in `core/limits.ts` that was reached, if one was. */
  readonly limit: LimitName | undefined
  override readonly name = 'DamselflyError'

  constructor(
    code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly limit?: LimitName },
  ) {
    super(message, options)
    this.code = code
    this.limit = options?.limit
  }
}

/** The message of anything that was thrown, for a line of text; never empty. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error) return String(thrown.message || thrown.name)
  try {
    return String(thrown) || 'unknown reason'
  } catch {
    return 'something that cannot be shown' // an object without a prototype, say
  }
}

/** The system's error name (`ENOENT`, `EADDRINUSE`, …) of something thrown, if it has one. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}
