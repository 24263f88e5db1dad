import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { restoredFrom } from '../../support/journal.js'
import { tempFolder } from '../../support/temp-folder.js'

const program = join(import.meta.dirname, '../../support/journal-program.js')
const rounds = Number(process.env['JOURNAL_KILLS'] ?? 10)

test(`after each of ${rounds} kills at random moments all is there that was kept, in order and without gaps`, async (context) => {
  const dataDir = await tempFolder(context)
  let last = 0
  for (let round = 0; round < rounds; round++) {
    const durability = round % 2 === 0 ? 'power' : 'crash'
    const printed = await killedRun([dataDir, durability, String(last)], 50 + Math.random() * 300)
    const { sessions, retained } = await restoredFrom(context, dataDir)
    const deliveries = sessions[0]?.deliveries ?? []
    last = deliveries.at(-1)?.order ?? 0
    assert.ok(last >= printed, `${printed} were kept, ${last} are there`)
    assert.equal(sessions[0]?.subscriptions.length, 1)
    assert.deepEqual(
      deliveries.map(({ order, message: { topic } }) => [order, topic]),
      Array.from({ length: Math.min(last, 1_000) }, (_, i) => last - Math.min(last, 1_000) + i + 1).map(
        (order) => [order, `t/${order}`],
      ),
    )
    assert.equal(Buffer.from(retained[0]?.payload ?? []).toString(), String(last), 'a batch comes whole')
  }
  context.diagnostic(`${last} messages`)
  assert.ok(last > 0)
})

/** Runs the program and kills it some time after its first line. @returns the last number that it printed */
async function killedRun(argv: readonly string[], afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [program, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8')
  const spoke = new Promise<void>((resolve) => {
    child.stdout.on('data', (text: string) => {
      output = (output + text).slice(-1_000)
      resolve()
    })
  })
  const closed = once(child, 'close')
  await Promise.race([spoke, closed])
  await sleep(afterMs)
  child.kill('SIGKILL')
  await closed
  const whole = output.slice(0, output.lastIndexOf('\n'))
  return Number(whole.slice(whole.lastIndexOf('\n') + 1))
}
