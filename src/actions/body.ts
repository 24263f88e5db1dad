import type { z } from 'zod'
import type { SchemaTools } from '../core/schema.ts'
import { jsonText, plainBytes } from './plain.ts'

/** The options `json` and `text`, of which a step has one at most: see `oneBody`. */
export function bodyOptions(z: SchemaTools) {
  return {
    json: z.unknown().optional().describe('Any value; it is sent as JSON'),
    text: z
      .unknown()
      .transform(plainBytes)
      .optional()
      .describe('Sent as it is: a text, or the bytes that came'),
  }
}

export interface Body {
  readonly json?: unknown
  readonly text?: string | Uint8Array | undefined
}

/** Refuses options that have both bodies. */
export function oneBody(options: Body, context: z.RefinementCtx): void {
  if ('json' in options && 'text' in options)
    context.addIssue({ code: 'custom', message: 'json and text are both given; one message has one of them' })
}

/** The bytes to send; undefined when neither `json` nor `text` is given. */
export function bodyOf(options: Body): string | Uint8Array | undefined {
  return 'json' in options ? jsonText(options.json) : options.text
}
