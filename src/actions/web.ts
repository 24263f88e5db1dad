import type { IncomingMessage } from 'node:http'
import { errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

const redirectsMax = 5

/** One request of an action. */
export interface WebRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | undefined
  readonly signal: AbortSignal
}

export interface WebAnswer {
  readonly status: number
  readonly statusText: string
  /** The header `Retry-After`, if there. */
  readonly retryAfter: string | undefined
  /** At most `limits.httpAnswerBytesMax` bytes. */
  readonly body: Buffer
  /** Whether there was more. */
  readonly isCut: boolean
}

/** A request that got no answer which can be used; the message is for people. */
export class WebError extends Error {
  /** Whether it may pass if tried again. */
  readonly mayPass: boolean

  constructor(message: string, mayPass: boolean, options?: ErrorOptions) {
    super(message, options)
    this.mayPass = mayPass
  }
}

/**
 * Sends a request and reads the answer, whatever its status. Follows up to five redirects of GET and HEAD,
 * never from https to http; the headers go only to the host for which they were written.
 *
 * @NOTE not `fetch`: its first use costs 23 MB of memory that stays, this 4 MB.
 * @throws WebError
 */
export async function exchange(request: WebRequest): Promise<WebAnswer> {
  let { url, headers } = request
  for (let redirects = 0; ; redirects++) {
    const { answer, location } = await exchangeOnce({ ...request, url, headers }).catch((cause) => {
      throw plainError(cause, url)
    })
    if (location === undefined) return answer
    const next = redirectTarget(request.method, url, location, answer.status)
    if (redirects === redirectsMax)
      throw new WebError(`${url.host} redirects more than ${redirectsMax} times`, false)
    if (next.host !== url.host) headers = {}
    url = next
  }
}

function redirectTarget(method: string, from: URL, location: string, status: number): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const where = to === undefined ? 'an address that is none' : to.origin
  if (method !== 'GET' && method !== 'HEAD') {
    const advice = `a ${method} is not sent twice: write the new address in http:`
    throw new WebError(`answered ${status}, a redirect to ${where}; ${advice}`, false)
  }
  if (to === undefined || (to.protocol !== from.protocol && to.protocol !== 'https:'))
    throw new WebError(`redirects to ${where}, which is not followed`, false)
  return to
}

async function exchangeOnce(request: WebRequest): Promise<{ answer: WebAnswer; location?: string }> {
  const isSecure = request.url.protocol === 'https:'
  const { request: open } = isSecure ? await import('node:https') : await import('node:http')
  return new Promise((resolve, reject) => {
    const { method, headers, signal } = request
    const outgoing = open(request.url, { method, headers, signal }, (incoming) => {
      read(incoming).then((answer) => {
        const status = answer.status
        const { location } = incoming.headers
        const isRedirect = [301, 302, 303, 307, 308].includes(status) && location !== undefined
        resolve(isRedirect ? { answer, location } : { answer })
      }, reject)
    })
    outgoing.on('error', reject)
    outgoing.end(request.body)
  })
}

async function read(incoming: IncomingMessage): Promise<WebAnswer> {
  const chunks: Buffer[] = []
  let bytes = 0
  let isCut = false
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    const room = limits.httpAnswerBytesMax - bytes
    chunks.push(chunk.subarray(0, room))
    bytes += chunk.length
    isCut = chunk.length > room
    if (isCut) break // which closes the connection
  }
  return {
    status: incoming.statusCode ?? 0,
    statusText: incoming.statusMessage ?? '',
    retryAfter: incoming.headers['retry-after'],
    body: Buffer.concat(chunks),
    isCut,
  }
}

const unreachable = ['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EHOSTDOWN', 'ENETDOWN']
const closedEarly = ['ECONNRESET', 'EPIPE', 'ECONNABORTED']

// Names host and port only: paths, queries, headers and passwords may be secret.
function plainError(cause: unknown, url: URL): WebError {
  const code = codeOf(cause)
  const where = hostAndPort(url)
  const may = (text: string): WebError => new WebError(`${text} (${code})`, true, { cause })
  const mustNot = (text: string): WebError => new WebError(`${text} (${code})`, false, { cause })

  if (code === 'ECONNREFUSED') return may(`${where} refuses the connection`)
  if (code === 'ENOTFOUND') return may(`no host is named ${url.hostname}`)
  if (code === 'EAI_AGAIN') return may(`no name server answers what address ${url.hostname} has`)
  if (unreachable.includes(code)) return may(`${where} cannot be reached`)
  if (closedEarly.includes(code)) return may(`${where} closed the connection before it answered in full`)
  if (code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED')
    return mustNot(`the certificate of ${where} is not valid now; is the clock of this machine right?`)
  if (/CERT|SIGNATURE|ERR_TLS/.test(code)) return mustNot(`the certificate of ${where} is not trusted`)
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return mustNot(`${where} does not speak TLS as we do`)
  if (code.startsWith('HPE_')) return mustNot(`${where} does not answer in HTTP`)
  return new WebError(`${where}: ${code === '' ? reasonOf(cause) : code}`, false, { cause })
}

// A host with several addresses fails with an AggregateError, which says nothing itself.
function codeOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : undefined
  return errnoOf(error) ?? errnoOf(first) ?? ''
}

function hostAndPort(url: URL): string {
  return url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host
}
