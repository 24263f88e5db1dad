import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOf } from '#src/control/lines.js'

async function lines(chunks: readonly string[], bytesMax = 10): Promise<(string | undefined)[]> {
  const stream = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1')
  })()
  const found: (string | undefined)[] = []
  for await (const line of linesOf(stream, bytesMax)) found.push(line)
  return found
}

for (const [what, chunks, expected] of [
  ['lines come one by one', ['a\nb\n'], ['a', 'b']],
  ['a line may come in pieces', ['a', 'b', '\nc\n'], ['ab', 'c']],
  ['a character may come in pieces', ['\xc3', '\xa4\n'], ['ä']],
  ['empty lines are left out', ['\n\n \na\n\r\n'], ['a']],
  ['the last line needs no end', ['a\nb'], ['a', 'b']],
  ['nothing gives nothing', [], []],
  ['a line of the greatest length comes', ['0123456789\n'], ['0123456789']],
  ['one byte more and it is skipped, once', ['0123456789x\nb\n'], [undefined, 'b']],
  ['however many pieces it has', ['01234', '56789', '01234', '\nb\n'], [undefined, 'b']],
  ['also without an end', ['0123456789', 'x'], [undefined]],
] as const) {
  test(what, async () => assert.deepEqual(await lines(chunks), expected))
}
