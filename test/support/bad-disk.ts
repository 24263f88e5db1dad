import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { IClientPublishOptions, MqttClient } from 'mqtt'
import { tempFolder } from './temp-folder.js'

/** `eio`: I/O errors; `erofs`: read-only; `enospc`: full; `slow`: a second for each sync; `hang`: nothing comes back. */
export type Fault = 'well' | 'eio' | 'erofs' | 'enospc' | 'slow' | 'hang'

const bytes = { well: '0', eio: 'e', erofs: 'o', enospc: 'n', slow: 's', hang: 'h' } as const
const source = join(import.meta.dirname, '../../../test/support/bad-disk.c')
let library: string | undefined

/** A disk that goes bad when it is told to, for the processes that are started with `environment`. */
export interface BadDisk {
  readonly environment: Readonly<Record<string, string>>
  set(fault: Fault): void
}

/** @param folder what lies below it is on the bad disk; an absolute path, as the process names it */
export async function badDisk(context: TestContext, folder: string): Promise<BadDisk> {
  if (library === undefined) {
    library = join(await mkdtemp(join(tmpdir(), 'damselfly-bad-disk-')), 'bad-disk.so')
    execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'])
  }
  const mode = join(await tempFolder(context), 'mode')
  const set = (fault: Fault): void => writeFileSync(mode, bytes[fault], { flag: 'r+' })
  writeFileSync(mode, bytes.well)
  context.after(() => set('well'))
  return { environment: { LD_PRELOAD: library, BAD_DISK: folder, BAD_DISK_MODE: mode }, set }
}

/** What the log says when it begins, and when it is over. */
export const begins =
  'the store cannot be written: until it can be, what must be kept is refused, or waits for its answer'
export const ends = 'the store is written again'

/** Publishes. @returns 0, or the reason code of the refusal */
export async function codeOf(
  client: MqttClient,
  topic: string,
  payload: string,
  options: IClientPublishOptions,
) {
  return await client.publishAsync(topic, payload, options).then(
    () => 0,
    (error: { code?: number }) => error.code ?? error,
  )
}
