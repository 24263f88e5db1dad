/** A connection's first slab: most turns need no more. */
const smallBytes = 4 * 1024

/** The largest slab that is kept for the next one. */
export const slabBytesMax = 64 * 1024

/** Slabs that wait for their next use, at most: 2 MiB and 4 MiB. */
const smallMax = 512
const largeMax = 64

const small: Uint8Array[] = []
const large: Uint8Array[] = []

/** Memory to write into, of at least so many bytes; what is in it is anything. */
export function takeSlab(bytes: number): Uint8Array {
  if (bytes <= smallBytes) return small.pop() ?? Buffer.allocUnsafeSlow(smallBytes)
  if (bytes <= slabBytesMax) return large.pop() ?? Buffer.allocUnsafeSlow(slabBytesMax)
  return Buffer.allocUnsafeSlow(bytes)
}

/** Takes a slab back, whole. One that is too large to be kept is left to the garbage collector. */
export function releaseSlab(slab: Uint8Array): void {
  if (slab.length === smallBytes) {
    if (small.length < smallMax) small.push(slab)
  } else if (slab.length === slabBytesMax && large.length < largeMax) large.push(slab)
}
