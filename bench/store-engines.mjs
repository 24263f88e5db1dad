// What writing batches of records costs with the engines that install without a compiler: `node bench/store-engines.mjs`,
// with a folder as argument to measure the disk that it is on. The table is in docs/dependencies.md.
import { fork } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { machineNs } from './process-cost.mjs'
import { describeDisk, engines } from './store-engine.mjs'

const sizes = [1, 20, 200, 2_000]
const folder = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'damselfly-engines-'))
try {
  const { p50, p99 } = await describeDisk(open, join(folder, 'probe'))
  print(`fdatasync of the disk after 4 KiB: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`)
  print('\n| engine | records | p50, p99 with fsync | without | CPU a record, main thread | whole | memory |')
  print('|---|---|---|---|---|---|---|')
  const empty = await measured('empty', 1, false)
  for (const engine of Object.keys(engines)) {
    if (engine === 'empty') continue
    for (const size of sizes) {
      const before = await machineNs()
      const synced = await measured(engine, size, true)
      const handed = await measured(engine, size, false)
      const steal = (await machineNs()).steal - before.steal
      const memory = Math.max(synced.rssMb, handed.rssMb) - empty.rssMb
      print(
        `| ${engine} | ${size.toLocaleString('en')} | ${times(synced)} | ${times(handed)} | ` +
          `${us(handed.mainNs)} µs | ${us(handed.wholeNs)} µs | ${memory.toFixed(1)} MB |${steal > 1e9 ? ' disturbed' : ''}`,
      )
    }
  }
} finally {
  await rm(folder, { recursive: true })
}

async function measured(engine, size, isSynced) {
  const child = fork(join(import.meta.dirname, 'store-engine.mjs'), [
    engine,
    String(size),
    isSynced ? 'sync' : 'nosync',
    join(folder, `${engine.replaceAll(/\W/g, '')}-${size}-${isSynced}`),
  ])
  const result = await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${engine} ended with ${code}`)))
  })
  await sleep(200) // what the disk still does for the last one
  return result
}

function times({ p50, p99 }) {
  return `${p50.toFixed(2)}, ${p99.toFixed(2)} ms`
}

function us(ns) {
  return (ns / 1_000).toFixed(ns < 10_000 ? 2 : 0)
}

function print(line) {
  process.stdout.write(`${line}\n`)
}
