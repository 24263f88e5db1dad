import { setTimeout as sleep } from 'node:timers/promises'
import type { z } from 'zod'
import { defineAction } from '../core/action.ts'
import { DamselflyError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { SchemaTools } from '../core/schema.ts'
import { bodyOf, bodyOptions, oneBody } from './body.ts'
import { oneLine, plainText } from './plain.ts'
import { exchange, type WebAnswer, WebError, type WebRequest } from './web.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const firstPauseMs = 250
const pauseMsMax = 10_000
const snippetCharsMax = 200
const framingHeaders = ['connection', 'content-length', 'transfer-encoding']

/**
 * `{ http: URL, json: … }`: calls a web address. A status other than 2xx fails with `HTTP_FAILED`; network
 * errors, 429 and 5xx are tried again, with growing pauses, within the step's time limit.
 */
export const httpAction = defineAction({
  name: 'http',
  options: (z) =>
    z
      .strictObject({
        http: z.string('an address such as https://example.org/hook').superRefine(checkUrl),
        method: z.enum(methods, `one of ${methods.join(', ')}`).optional(),
        headers: headers(z).optional(),
        ...bodyOptions(z),
        retries: z.int('a whole number from 0 to 10').min(0).max(10).default(3),
        publish: z.topic().optional().describe('Publish the body of the answer'),
      })
      .superRefine(oneBody)
      .superRefine((options, context) => {
        const hasBody = 'json' in options || 'text' in options
        if (hasBody && (options.method === 'GET' || options.method === 'HEAD'))
          context.addIssue({ code: 'custom', path: ['method'], message: `${options.method} sends no body` })
      }),
  async run({ options, publish, signal }) {
    const body = bodyOf(options)
    const request = {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      url: new URL(options.http),
      headers: { ...contentType('json' in options, body), ...options.headers },
      body,
      signal,
    }
    const answer = await persist(request, options.retries)
    if (options.publish === undefined) return
    if (answer.isCut) {
      throw new DamselflyError(
        'HTTP_FAILED',
        `${request.url.host} answered more than ${limits.httpAnswerBytesMax} bytes; nothing was published`,
        { limit: 'httpAnswerBytesMax' },
      )
    }
    await publish({ topic: options.publish, payload: answer.body })
  },
})

function contentType(isJson: boolean, body: string | Uint8Array | undefined): Record<string, string> {
  if (body === undefined) return {}
  if (isJson) return { 'content-type': 'application/json' }
  return {
    'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream',
  }
}

async function persist(request: WebRequest, retries: number): Promise<WebAnswer> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptOnce(request)
    if ('answer' in outcome) return outcome.answer
    if (!outcome.mayPass || attempt > retries || request.signal.aborted) {
      const tries = attempt === 1 ? '' : ` (${attempt} attempts)`
      const message = `${request.method} ${request.url.origin}: ${outcome.text}${tries}`
      throw new DamselflyError('HTTP_FAILED', message, { cause: outcome.cause })
    }
    // Fails only when the signal aborts; the next attempt then says so.
    await sleep(pauseMs(attempt, outcome.retryAfter), undefined, { signal: request.signal }).catch(() => {})
  }
}

type Outcome =
  | { readonly answer: WebAnswer }
  | {
      readonly text: string
      /** Whether it may pass if tried again. */
      readonly mayPass: boolean
      readonly retryAfter?: string | undefined
      readonly cause?: unknown
    }

async function attemptOnce(request: WebRequest): Promise<Outcome> {
  try {
    const answer = await exchange(request)
    const { status, statusText, retryAfter } = answer
    if (status >= 200 && status < 300) return { answer }
    const snippet = oneLine(answer.body.toString('utf8'), snippetCharsMax)
    const text = oneLine(`answered ${status} ${statusText}`, snippetCharsMax)
    return {
      text: snippet === '' ? text : `${text}: ${snippet}`,
      mayPass: status === 429 || status >= 500,
      retryAfter,
    }
  } catch (cause) {
    if (request.signal.aborted) return { text: 'no answer before the step was ended', mayPass: false }
    if (cause instanceof WebError) return { text: cause.message, mayPass: cause.mayPass, cause: cause.cause }
    throw cause
  }
}

/** 250 ms, 500 ms, 1 s, …, of which a random half; or what the server asks for. At most 10 s. */
function pauseMs(attempt: number, retryAfter: string | undefined): number {
  const asked = retryAfter === undefined ? Number.NaN : retryAfterMs(retryAfter)
  if (asked >= 0) return Math.min(asked, pauseMsMax)
  const longest = Math.min(firstPauseMs * 2 ** (attempt - 1), pauseMsMax)
  return longest * (0.5 + Math.random() / 2)
}

// Seconds, or a date [RFC 9110, 10.2.3].
function retryAfterMs(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1_000 : Math.max(0, Date.parse(text) - Date.now())
}

function checkUrl(text: string, context: z.RefinementCtx): void {
  const protocol = URL.canParse(text) ? new URL(text).protocol : undefined
  if (protocol === 'http:' || protocol === 'https:') return
  const message =
    protocol === undefined
      ? 'not an address; write it in full, such as https://example.org/hook'
      : `${protocol} is not an address of the web; expected http: or https:`
  context.addIssue({ code: 'custom', message })
}

function headers(z: SchemaTools) {
  const name = z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'the name of a header, such as Authorization')
    .refine((text) => !framingHeaders.includes(text.toLowerCase()), 'this header is made by Damselfly itself')
  const value = z
    .unknown()
    .transform(plainText)
    .refine((text) => /^[\t\x20-\x7e\u0080-\u00ff]*$/.test(text), 'a header is one line of Latin characters')
  // Names are the same in any case; in one case, `Content-Type` in YAML replaces ours.
  return z
    .record(name, value)
    .transform((all) =>
      Object.fromEntries(Object.entries(all).map(([key, text]) => [key.toLowerCase(), text])),
    )
}
