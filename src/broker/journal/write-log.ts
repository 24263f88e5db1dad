import { readFile, rename, writeFile } from 'node:fs/promises'
import { maskedCrc32c } from './crc32c.ts'

const blockBytes = 32 * 1024
const headerBytes = 7
/** Types of the pieces of a record. */
const piece = { full: 1, first: 2, middle: 3, last: 4 } as const

/** What can be read of a log. */
export interface LogReading {
  readonly records: readonly Buffer[]
  /** Bytes that cannot be read and have records behind them. What a crash leaves at the end is no damage. */
  readonly lostBytes: number
}

/**
 * Reads a log of LevelDB's: what it writes before it does it, or its list of tables. Takes bytes that may be anything.
 * A piece whose checksum is wrong costs its record; LevelDB would go on with the next block only.
 * @see https://github.com/google/leveldb/blob/main/doc/log_format.md
 */
export function readLog(log: Buffer): LogReading {
  const records: Buffer[] = []
  let pieces: Buffer[] = []
  let openBytes = 0 // of the record whose pieces come
  let unread = 0 // since the last record
  let lostBytes = 0
  for (let at = 0; at + headerBytes <= log.length; ) {
    const blockEnd = Math.min(at - (at % blockBytes) + blockBytes, log.length)
    if (blockEnd - at < headerBytes) {
      at = blockEnd
      continue
    }
    const end = endOfPiece(log, at, blockEnd)
    const type = end === undefined ? 0 : log.readUInt8(at + 6)
    const begins = type === piece.full || type === piece.first
    if (begins || end === undefined) {
      unread += openBytes
      openBytes = 0
      pieces = []
    }
    const next = end ?? afterDamage(log, at, blockEnd)
    if (begins || pieces.length > 0) {
      pieces.push(log.subarray(at + headerBytes, next))
      openBytes += next - at
    } else unread += next - at
    if (pieces.length > 0 && (type === piece.full || type === piece.last)) {
      records.push(Buffer.concat(pieces))
      pieces = []
      openBytes = 0
      lostBytes += unread
      unread = 0
    }
    at = next
  }
  return { records, lostBytes }
}

/** Takes what cannot be read out of the log in this file. @returns how many bytes are lost */
export async function mendLog(path: string): Promise<number> {
  const { records, lostBytes } = readLog(await readFile(path))
  if (lostBytes === 0) return 0
  // not in place: a copy that was set aside may be a link to it
  await writeFile(`${path}.mending`, logOf(records))
  await rename(`${path}.mending`, path)
  return lostBytes
}

/** @returns undefined when there is no whole piece here */
function endOfPiece(log: Buffer, at: number, blockEnd: number): number | undefined {
  if (at + headerBytes > blockEnd) return undefined
  const end = at + headerBytes + log.readUInt16LE(at + 4)
  const type = log.readUInt8(at + 6)
  if (end > blockEnd || type < piece.full || type > piece.last) return undefined
  return maskedCrc32c(log, at + 6, end) === log.readUInt32LE(at) ? end : undefined
}

/** Behind it when its length is right, for there is the next one; else at the next block. */
function afterDamage(log: Buffer, at: number, blockEnd: number): number {
  const end = at + headerBytes + log.readUInt16LE(at + 4)
  return endOfPiece(log, end, blockEnd) === undefined ? blockEnd : end
}

function logOf(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  let left = blockBytes
  for (const record of records) {
    for (let at = 0, isLast = false; !isLast; ) {
      if (left < headerBytes) {
        parts.push(Buffer.alloc(left))
        left = blockBytes
      }
      const end = Math.min(at + left - headerBytes, record.length)
      isLast = end === record.length
      const type = at === 0 ? (isLast ? piece.full : piece.first) : isLast ? piece.last : piece.middle
      parts.push(pieceOf(type, record.subarray(at, end)))
      left -= headerBytes + end - at
      at = end
    }
  }
  return Buffer.concat(parts)
}

function pieceOf(type: number, body: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(headerBytes), body])
  bytes.writeUInt16LE(body.length, 4)
  bytes.writeUInt8(type, 6)
  bytes.writeUInt32LE(maskedCrc32c(bytes, 6, bytes.length))
  return bytes
}
