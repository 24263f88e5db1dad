import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { brokerWorld } from '../support/broker.js'
import { missing } from '../support/tools.js'

test('on a full disk it starts all the same, on its reserve, with what was retained; without one it says why not', {
  skip: missing('root', 'mount'),
}, async (context) => {
  const disk = await mkdtemp(join(tmpdir(), 'damselfly-disk-'))
  context.after(async () => {
    execFileSync('umount', ['-l', disk])
    await rm(disk, { recursive: true })
  })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk])
  const dataDir = join(disk, 'data')
  const fill = async (): Promise<void> => {
    await writeFile(join(disk, 'ballast'), Buffer.alloc(40 * 1024 * 1024)).catch(() => {})
  }
  const first = await brokerWorld(context, { dataDir })
  await first.broker.hub.publish({ topic: 'before', payload: 'x', retain: true })
  await first.broker.close()
  assert.ok((await readdir(dataDir)).includes('reserve'))

  await fill()
  const second = await brokerWorld(context, { dataDir })
  assert.match(second.log.lines.map(({ message }) => message).join('\n'), /started on the last reserve/)
  const topics: string[] = []
  for await (const { topic } of second.broker.hub.retained('#')) topics.push(topic)
  assert.deepEqual(topics, ['before'])
  await second.broker.close()

  await fill()
  await rm(join(dataDir, 'reserve'), { force: true })
  await fill()
  await assert.rejects(brokerWorld(context, { dataDir }), {
    code: 'STORE_FAILED',
    message: /the disk is full/,
  })

  await rm(join(disk, 'ballast'))
  await (await brokerWorld(context, { dataDir })).broker.close()
  assert.ok((await readdir(dataDir)).includes('reserve'), 'with room there is a reserve again')
})
