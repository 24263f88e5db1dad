// What a native module says of itself: the machine that it is for, and what it needs of the system.
import { readFileSync } from 'node:fs'

const machines = new Map([
  [40, 'arm'],
  [62, 'x64'],
  [183, 'arm64'],
])

/**
 * Reads an ELF file (elf(5)): little-endian, 32 or 64 bits.
 * @returns its machine as npm calls it, the libraries that it needs (`libc.so.6`), and the versions of their symbols (`GLIBC_2.17`);
 *   undefined for a file of another kind
 */
export function readElf(file) {
  const bytes = readFileSync(file)
  if (bytes.subarray(0, 4).toString('latin1') !== '\x7fELF' || bytes[5] !== 1) return undefined
  const number = bytes.readUInt16LE(18)
  const sections = sectionsOf(bytes)
  return {
    machine: machines.get(number) ?? `machine ${number}`,
    needed: neededBy(bytes, sections),
    versions: versionsFor(bytes, sections),
  }
}

function sectionsOf(bytes) {
  const is64 = bytes[4] === 2
  const at = is64 ? Number(bytes.readBigUInt64LE(0x28)) : bytes.readUInt32LE(0x20)
  const size = bytes.readUInt16LE(is64 ? 0x3a : 0x2e)
  const count = bytes.readUInt16LE(is64 ? 0x3c : 0x30)
  return Array.from({ length: count }, (_, index) => {
    const head = at + index * size
    const word = (at64, at32) =>
      is64 ? Number(bytes.readBigUInt64LE(head + at64)) : bytes.readUInt32LE(head + at32)
    return {
      is64,
      type: bytes.readUInt32LE(head + 4),
      offset: word(0x18, 0x10),
      size: word(0x20, 0x14),
      link: bytes.readUInt32LE(head + (is64 ? 0x28 : 0x18)),
    }
  })
}

const [dynamic, versionNeed] = [6, 0x6ffffffe]

function neededBy(bytes, sections) {
  const needed = []
  for (const { is64, offset, size, link } of sections.filter(({ type }) => type === dynamic)) {
    for (let at = offset; at < offset + size; at += is64 ? 16 : 8) {
      const [tag, value] = is64
        ? [Number(bytes.readBigInt64LE(at)), Number(bytes.readBigUInt64LE(at + 8))]
        : [bytes.readInt32LE(at), bytes.readUInt32LE(at + 4)]
      if (tag === 1) needed.push(text(bytes, sections[link].offset + value))
    }
  }
  return needed
}

function versionsFor(bytes, sections) {
  const versions = []
  for (const { offset, link } of sections.filter(({ type }) => type === versionNeed)) {
    for (let at = offset, next = 1; next !== 0; at += next) {
      let aux = at + bytes.readUInt32LE(at + 8)
      for (let left = bytes.readUInt16LE(at + 2); left > 0; left--) {
        versions.push(text(bytes, sections[link].offset + bytes.readUInt32LE(aux + 8)))
        aux += bytes.readUInt32LE(aux + 12)
      }
      next = bytes.readUInt32LE(at + 12)
    }
  }
  return versions
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}
