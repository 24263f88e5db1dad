import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
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
