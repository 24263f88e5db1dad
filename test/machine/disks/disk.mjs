// The disk below /var/lib/damselfly, and what goes wrong with it. Device mapper sits between ext4 and a file.
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { sh } from '../proof.mjs'

export const mountPoint = '/var/lib/damselfly'
const device = '/dev/mapper/data'
const { LOOP: loop, SECTORS: sectors, DATA_BLOCK: dataBlock, FOLDER_BLOCKS: folderBlocks } = process.env

const tables = {
  well: `0 ${sectors} linear ${loop} 0`,
  slow: `0 ${sectors} delay ${loop} 0 1000`,
  dataFails: dataFails(),
  allFails: `0 ${sectors} error`,
}

/** Files fail; metadata and the journal, which lie before them, do not, nor do the folders among them: ext4 goes on. */
function dataFails() {
  const sectorsPerBlock = 2
  const lines = [`0 ${dataBlock * sectorsPerBlock} linear ${loop} 0`]
  let at = dataBlock * sectorsPerBlock
  const goOn = (to) => {
    if (to > at) lines.push(`${at} ${to - at} error`)
    at = to
  }
  for (const block of folderBlocks
    .split(/\s+/)
    .map(Number)
    .sort((a, b) => a - b)) {
    const sector = block * sectorsPerBlock
    if (sector < at) continue
    goOn(sector)
    lines.push(`${at} ${sectorsPerBlock} linear ${loop} ${at}`)
    at += sectorsPerBlock
  }
  goOn(Number(sectors))
  return lines.join('\n')
}

async function must(program, ...args) {
  const { code, text } = await sh(program, ...args)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${text}`)
  return text
}

/** Puts another disk below the file system, at once. */
export async function be(kind) {
  writeFileSync('/run/table', `${tables[kind]}\n`)
  await must('dmsetup', 'load', 'data', '/run/table')
  await must('dmsetup', 'suspend', '--nolockfs', '--noflush', 'data')
  await resume()
}

/** Nothing that is written or read comes back until `resume`. */
export const suspend = () => must('dmsetup', 'suspend', '--nolockfs', '--noflush', 'data')
export const resume = () => must('dmsetup', 'resume', 'data')

const ballast = `${mountPoint}/ballast`

/** Takes all room there is. */
export function fill() {
  const fd = openSync(ballast, 'w')
  for (const size of [1_048_576, 1_024]) {
    const piece = Buffer.alloc(size, 'x')
    try {
      for (;;) writeSync(fd, piece)
    } catch {} // full
  }
  closeSync(fd)
}

export const makeRoom = () => rmSync(ballast)

export const forgetCaches = () => must('sh', '-c', 'sync; echo 3 >/proc/sys/vm/drop_caches')
export const remount = (how) => must('mount', '-o', `remount,${how}`, mountPoint)
export const unmount = () => must('umount', '-l', mountPoint)

/** Mends the file system and mounts it anew. */
export async function mount() {
  await sh('e2fsck', '-fy', device)
  await must('mount', device, mountPoint)
}
/** What the kernel said last of its giving up the file system. */
export const givenUp = () =>
  must(
    'sh',
    '-c',
    "dmesg | grep -E 'Aborting journal|journal has aborted|Remounting filesystem read-only' | tail -1",
  )
