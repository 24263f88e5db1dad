import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { endOfMasked, maskedCrc32c } from './crc32c.ts'
import { LevelReader } from './level-reader.ts'

const footerBytes = 48
const magic = 0xdb47_7524_8b80_fb57n
/** Type and checksum behind each block. */
const trailerBytes = 5
const plain = 0

/** Where a block is, and how long without its trailer. */
interface Handle {
  readonly offset: number
  readonly size: number
}

interface IndexEntry extends Handle {
  /** Not below any key of the block, and below all of the next one. */
  readonly key: Buffer
}

export interface BlockEntry {
  readonly key: Buffer
  readonly value: Buffer
}

/**
 * Whether all blocks of a table are as they were written. LevelDB does not look at their checksums, and ends the process by
 * an assertion when it finds something else in one: so they are checked before it is opened. Of a compressed table, as only
 * versions up to 0.2 wrote them, this checks the index alone. Takes bytes that may be anything.
 * @see https://github.com/google/leveldb/blob/main/doc/table_format.md
 */
export function isWholeTable(bytes: Buffer): boolean {
  const index = indexOf(bytes)
  return index?.every((handle) => isWholeBlock(bytes, handle)) === true
}

/** The records of a whole table that is not compressed, under LevelDB's own keys. @throws RangeError for another one */
export function entriesOfTable(bytes: Buffer): BlockEntry[] {
  const index = indexOf(bytes)
  if (index === undefined || index.length === 0) throw new RangeError('a table has no index that can be read')
  return index.flatMap(({ offset, size }) => {
    if (bytes[offset + size] !== plain) throw new RangeError('a table is compressed')
    return entriesOf(bytes.subarray(offset, offset + size))
  })
}

/** Takes the blocks out of the table in this file that are damaged, or removes it. @returns how many bytes are lost */
export async function mendTable(path: string): Promise<number> {
  const bytes = await readFile(path)
  const index = indexOf(bytes)
  const whole = index?.filter((handle) => isWholeBlock(bytes, handle)) ?? blocksOf(bytes)
  if (index !== undefined && whole.length === index.length) return 0
  if (whole.length === 0) {
    await rm(path)
    return bytes.length
  }
  const mended = tableOf(bytes, whole)
  // not in place: a copy that was set aside may be a link to it
  await writeFile(`${path}.mending`, mended)
  await rename(`${path}.mending`, path)
  return bytes.length - mended.length
}

/** @returns undefined when it cannot be read */
function indexOf(bytes: Buffer): IndexEntry[] | undefined {
  const footerAt = bytes.length - footerBytes
  if (footerAt < 0 || bytes.readBigUInt64LE(bytes.length - 8) !== magic) return undefined
  try {
    const footer = new LevelReader(bytes.subarray(footerAt))
    handleOf(footer) // of the index of what else there might be: nothing
    const handle = handleOf(footer)
    if (!isWholeBlock(bytes, handle)) return undefined
    const end = handle.offset + handle.size
    if (bytes[end] !== plain) return []
    return entriesOf(bytes.subarray(handle.offset, end)).map(({ key, value }) => ({
      key,
      ...handleOf(new LevelReader(value)),
    }))
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** The blocks of a table without its index: one begins where another ends, and ends where its checksum is. */
function blocksOf(bytes: Buffer): IndexEntry[] {
  const blocks: IndexEntry[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const end = endOfMasked(bytes, offset) // of the type, too
    if (end === undefined) break
    const handle = { offset, size: end - 1 - offset }
    const last = bytes[end - 1] === plain ? lastEntryOf(bytes.subarray(offset, end - 1)) : undefined
    const isIndex = last !== undefined && isHandleOf(blocks.at(-1), last.value)
    if (last !== undefined && !isIndex) blocks.push({ key: last.key, ...handle })
    offset = end + 4
  }
  return blocks
}

/** @returns undefined for a block that holds no records: the filter and its index do not */
function lastEntryOf(block: Buffer): BlockEntry | undefined {
  try {
    const entries = entriesOf(block)
    // behind a record's key come 8 bytes, the first of them 0 for a deletion or 1 for a value
    return entries.every(({ key }) => (key.at(-8) ?? 2) < 2) ? entries.at(-1) : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Whether a value can only be the index's of this block. */
function isHandleOf(handle: Handle | undefined, value: Buffer): boolean {
  return handle !== undefined && value.equals(Buffer.from(handleBytes(handle)))
}

/** The entries of a block: (shared, unshared, length of the value, rest of the key, value) each, then the restarts. */
function entriesOf(block: Buffer): BlockEntry[] {
  const restarts = block.readUInt32LE(block.length - 4)
  const entriesEnd = block.length - 4 - 4 * restarts
  if (entriesEnd < 0) throw new RangeError('it has more restarts than bytes')
  const reader = new LevelReader(block.subarray(0, entriesEnd))
  const entries: BlockEntry[] = []
  let key = Buffer.alloc(0)
  while (reader.hasMore) {
    const shared = reader.varint()
    const unshared = reader.varint()
    const valueBytes = reader.varint()
    key = Buffer.concat([key.subarray(0, shared), reader.slice(unshared)])
    entries.push({ key, value: reader.slice(valueBytes) })
  }
  return entries
}

function handleOf(reader: LevelReader): Handle {
  return { offset: reader.varint(), size: reader.varint() }
}

function isWholeBlock(bytes: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size + 1 // the checksum is of the type, too
  return end + 4 <= bytes.length && maskedCrc32c(bytes, offset, end) === bytes.readUInt32LE(end)
}

function tableOf(bytes: Buffer, blocks: readonly IndexEntry[]): Buffer {
  const parts: Buffer[] = []
  let length = 0
  const add = (part: Buffer): Handle => {
    parts.push(part)
    length += part.length
    return { offset: length - part.length, size: part.length - trailerBytes }
  }
  const moved = blocks.map(({ key, offset, size }) => ({
    key,
    ...add(bytes.subarray(offset, offset + size + trailerBytes)),
  }))
  const nothing = add(blockOf([]))
  const index = add(blockOf(moved))
  const footer = Buffer.alloc(footerBytes)
  footer.set([...handleBytes(nothing), ...handleBytes(index)])
  footer.writeBigUInt64LE(magic, footerBytes - 8)
  add(footer)
  return Buffer.concat(parts)
}

/** An index whose keys share nothing. */
function blockOf(entries: readonly IndexEntry[]): Buffer {
  const parts: Buffer[] = []
  const restarts: number[] = []
  let length = 0
  for (const { key, offset, size } of entries) {
    const value = handleBytes({ offset, size })
    const entry = Buffer.from([0, ...varint(key.length), value.length, ...key, ...value])
    restarts.push(length)
    parts.push(entry)
    length += entry.length
  }
  if (restarts.length === 0) restarts.push(0) // there is always one
  const tail = Buffer.alloc(4 * restarts.length + 4 + trailerBytes)
  for (const [i, restart] of restarts.entries()) tail.writeUInt32LE(restart, 4 * i)
  tail.writeUInt32LE(restarts.length, 4 * restarts.length)
  const block = Buffer.concat([...parts, tail])
  block.writeUInt32LE(maskedCrc32c(block, 0, block.length - 4), block.length - 4)
  return block
}

function handleBytes({ offset, size }: Handle): number[] {
  return [...varint(offset), ...varint(size)]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return bytes
}
