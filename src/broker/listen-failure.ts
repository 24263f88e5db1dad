import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { type Listener, mainListener } from '../core/listener.ts'

/** An address that could not be listened on, or a listener whose certificates cannot be used. */
export interface ListenFailure {
  /** The name of the listener. */
  readonly listener: string
  /** Undefined when it is not about one address. */
  readonly address: string | undefined
  readonly error: DamselflyError
}

/** @param before the failures that were told just before: one remedy serves all */
export function explainListening(
  listener: Listener,
  address: string,
  cause: unknown,
  before: readonly ListenFailure[],
): ListenFailure {
  const error = explain(listener, address, cause)
  const isAlso = error.code === 'ADDRESS_IN_USE' && before.some((other) => other.error.code === error.code)
  return { listener: listener.name, address, error: isAlso ? alsoTaken(listener, address, cause) : error }
}

export function tlsFailure(listener: string, cause: unknown): ListenFailure {
  const message = `listener ${listener}: its certificate and key cannot be used: ${reasonOf(cause)}`
  return {
    listener,
    address: undefined,
    error: new DamselflyError('ADDRESS_UNAVAILABLE', message, { cause }),
  }
}

function alsoTaken({ name, where }: Listener, address: string, cause: unknown): DamselflyError {
  const port = where.kind === 'tcp' ? where.port : 0
  return new DamselflyError('ADDRESS_IN_USE', `${prefix(name)}port ${port} on ${address} is taken, too`, {
    cause,
  })
}

function explain({ name, where }: Listener, address: string, cause: unknown): DamselflyError {
  const isMain = name === mainListener
  if (where.kind === 'unix') {
    const code = cause instanceof DamselflyError ? cause.code : 'ADDRESS_UNAVAILABLE'
    const message = `${prefix(name)}cannot listen on ${where.path}: ${reasonOf(cause)}`
    return new DamselflyError(code, message, { cause })
  }
  const { port } = where
  const another = isMain ? 'another PORT in .env' : `another port: of listener ${name}`
  switch (errnoOf(cause)) {
    case 'EADDRINUSE':
      return new DamselflyError(
        'ADDRESS_IN_USE',
        `${prefix(name)}port ${port} on ${address} is taken, often by mosquitto (sudo systemctl disable --now mosquitto) or another Damselfly (sudo systemctl stop damselfly): stop it, or set ${another}; "ss -ltnp sport = :${port}" shows who it is`,
        { cause },
      )
    case 'EADDRNOTAVAIL':
      return new DamselflyError(
        'ADDRESS_UNAVAILABLE',
        `${prefix(name)}this machine has no address ${address} (yet)`,
        { cause },
      )
    case 'EACCES':
      return new DamselflyError(
        'ADDRESS_UNAVAILABLE',
        `${prefix(name)}not allowed to listen on port ${port}: ports below 1024 need root; set ${isMain ? 'PORT in .env to 1883' : 'another port:'}`,
        { cause },
      )
    default:
      return new DamselflyError(
        'ADDRESS_UNAVAILABLE',
        `${prefix(name)}cannot listen on ${address} port ${port}: ${reasonOf(cause)}`,
        { cause },
      )
  }
}

function prefix(name: string): string {
  return name === mainListener ? '' : `listener ${name}: `
}
