import { reasonOf } from '../core/errors.ts'
import type { HttpPlace } from '../core/http-place.ts'
import type { Logger } from '../core/ports.ts'
import type { HttpServer, HttpServerOptions } from '../http/server.ts'

/** The HTTP server where the settings want it, and nothing of it in memory where they do not. */
export class HttpDoor {
  readonly #options: HttpServerOptions
  readonly #log: Logger
  #open: { readonly place: HttpPlace; readonly server: HttpServer } | undefined

  constructor(options: HttpServerOptions, log: Logger) {
    this.#options = options
    this.#log = log
  }

  /** Listens there and nowhere else. Never throws: a house without metrics lives as well, and the log says why. */
  async apply(place: HttpPlace | undefined): Promise<void> {
    if (isSame(this.#open?.place, place)) return
    await this.close()
    if (place === undefined) return
    const { HttpServer } = await import('../http/server.ts')
    const server = new HttpServer(this.#options)
    try {
      await server.open(place)
      this.#open = { place, server }
      this.#log.info(place, 'metrics and health are told over HTTP')
    } catch (error) {
      this.#log.error({ ...place, reason: reasonOf(error) }, 'no metrics over HTTP: nothing listens there')
    }
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.server.close()
  }
}

function isSame(one: HttpPlace | undefined, other: HttpPlace | undefined): boolean {
  return one?.address === other?.address && one?.port === other?.port
}
