import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { appendFile, mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchFiles } from '#src/config/watch-files.js'
import { folderOf } from '../support/config-world.js'

// the watch keeps no process alive, so the tests must
const alive = setInterval(() => {}, 1_000)
after(() => clearInterval(alive))

const quick = { quietMs: 30, retryMs: 50 }

/** Watches these files of a folder, and counts the changes. */
async function watched(folder: string, names: readonly string[], options = quick) {
  let changes = 0
  let wake: () => void = () => {}
  const onChange = () => {
    changes++
    wake()
  }
  const watch = await watchFiles(
    names.map((name) => join(folder, name)),
    onChange,
    options,
  )
  return {
    watch,
    count: () => changes,
    /** Resolves at the next change that was not waited for yet. */
    next: async (seen: number) => {
      while (changes <= seen) await new Promise<void>((resolve) => (wake = resolve))
    },
    [Symbol.asyncDispose]: () => watch.close(),
  }
}

test('a file is watched through writing, replacing, removing and coming back', {
  timeout: 60_000,
}, async () => {
  await using folder = await folderOf({ a: '1', b: '1' })
  await using files = await watched(folder.path, ['a', '.env'])
  const a = join(folder.path, 'a')
  const steps: readonly (() => Promise<unknown>)[] = [
    () => writeFile(a, '2!'),
    async () => {
      await writeFile(`${a}.tmp`, '3!!')
      await rename(`${a}.tmp`, a)
    },
    () => appendFile(a, 'more'),
    () => rm(a),
    () => writeFile(a, 'back'),
    () => writeFile(join(folder.path, '.env'), 'PORT=1883'),
  ]
  for (const [index, step] of steps.entries()) {
    await step()
    await files.next(index)
    assert.equal(files.count(), index + 1)
  }
})

test('many writes at once are one change, and other files are none', { timeout: 60_000 }, async () => {
  await using folder = await folderOf({ a: '1', b: '1' })
  await using files = await watched(folder.path, ['a', 'b'])
  for (let round = 0; round < 20; round++) {
    // at once whatever else the machine does
    for (const name of ['a', 'b', 'c']) writeFileSync(join(folder.path, name), `round ${round}`)
  }
  await files.next(0)
  await writeFile(join(folder.path, 'c'), 'x')
  await sleep(150)
  assert.equal(files.count(), 1)
})

test('a folder that comes later, goes and comes back is found', { timeout: 60_000 }, async () => {
  await using folder = await folderOf({})
  await using files = await watched(folder.path, ['config/a'])
  const config = join(folder.path, 'config')
  await mkdir(config)
  await writeFile(join(config, 'a'), '1')
  await files.next(0)
  await rm(config, { recursive: true })
  await files.next(1)
  await mkdir(config)
  await writeFile(join(config, 'a'), '2')
  await files.next(2)
  await sleep(120)
  await writeFile(join(config, 'a'), 'three')
  await files.next(3)
})

test('after close nothing is told any more', { timeout: 60_000 }, async () => {
  await using folder = await folderOf({ a: '1' })
  const files = await watched(folder.path, ['a', 'missing/b'])
  writeFileSync(join(folder.path, 'a'), '22') // in one turn with the close, whatever else the machine does
  await files.watch.close()
  await files.watch.close()
  await utimes(join(folder.path, 'a'), 1, 1)
  await sleep(120)
  assert.equal(files.count(), 0)
})

test('a change that was noted is told no more, the next one is', { timeout: 60_000 }, async () => {
  await using folder = await folderOf({ a: '1' })
  // long enough for the note to be there first on a busy machine too
  await using files = await watched(folder.path, ['a'], { quietMs: 400, retryMs: 50 })
  const a = join(folder.path, 'a')
  writeFileSync(a, 'two')
  await files.watch.note()
  await sleep(1_000)
  assert.equal(files.count(), 0)
  await writeFile(a, 'three')
  await files.next(0)
  assert.equal(files.count(), 1)
})

test('to note files waits for who writes to them, but not for ever', { timeout: 60_000 }, async () => {
  await using folder = await folderOf({ a: '1' })
  await using files = await watched(folder.path, ['a'])
  const a = join(folder.path, 'a')
  writeFileSync(a, '')
  const fill = setTimeout(() => writeFileSync(a, 'whole'), 20)
  await files.watch.note()
  clearTimeout(fill)
  assert.equal(readFileSync(a, 'utf8'), 'whole')
  assert.equal(await files.watch.hasChanged(), false)
  writeFileSync(a, 'another')
  assert.equal(await files.watch.hasChanged(), true)

  let writes = 0
  const writer = setInterval(() => writeFileSync(a, `${writes++}`), 10)
  await files.watch.note()
  clearInterval(writer)
  assert.ok(writes > 10, `${writes}`)
})
