import type { Logger } from '#src/core/ports.js'

/** A logger that remembers its lines: `warn: no LAN address yet, waiting for one`. */
export function recordingLog(): Logger & { readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (_fields: object, message: string) => {
    lines.push(`${level}: ${message}`)
  }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
