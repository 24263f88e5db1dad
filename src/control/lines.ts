/**
 * The lines of a stream of bytes, without their ends; empty ones are left out, the last one needs no end.
 * A line with more than `bytesMax` bytes is skipped, and comes as `undefined`.
 */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<string | undefined> {
  let parts: Buffer[] = []
  let bytes = 0
  const take = (part: Buffer): void => {
    bytes += part.length
    if (bytes <= bytesMax) parts.push(part)
    else parts = []
  }
  const line = (): string | undefined => {
    const text = bytes > bytesMax ? undefined : Buffer.concat(parts).toString('utf8')
    parts = []
    bytes = 0
    return text
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      take(chunk.subarray(start, end))
      start = end + 1
      const text = line()
      if (text === undefined || text.trim() !== '') yield text
    }
    take(chunk.subarray(start))
  }
  const rest = line()
  if (rest === undefined || rest.trim() !== '') yield rest
}
