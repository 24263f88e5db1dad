import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

const folders: string[] = []

// not in an after hook: those run in the order of their making, and a broker must be closed before its folder goes
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder that goes with the test's process. */
export async function tempFolder(_context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-test-'))
  folders.push(folder)
  return folder
}
