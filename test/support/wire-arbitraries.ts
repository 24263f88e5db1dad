import fc from 'fast-check'
import type { Properties } from '#src/broker/wire/properties.js'
import { type PropertyBearer, type PropertyKind, propertyTable } from '#src/broker/wire/property-table.js'

/** A text that MQTT can carry: no lone surrogates, no U+0000. */
export const text: fc.Arbitrary<string> = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((some) => some.replaceAll('\0', '0'))

/** A topic to publish to. */
export const topic: fc.Arbitrary<string> = text
  .map((some) => some.replace(/[+#]/g, '-'))
  .filter((some) => some !== '')

export const data: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 60 }).map((some) => Buffer.from(some))

export const packetId: fc.Arbitrary<number> = fc.integer({ min: 1, max: 0xffff })

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })

const values: Readonly<Record<PropertyKind, fc.Arbitrary<unknown>>> = {
  bit: fc.constantFrom(0, 1),
  flag: fc.boolean(),
  u16: fc.integer({ min: 1, max: 0xffff }),
  u32: u32.map((some) => some || 1),
  varint: fc.integer({ min: 1, max: 268_435_455 }),
  string: text,
  topic,
  binary: data,
  pair: fc.tuple(text, text),
}

/** Any properties that the packet may carry. */
export function propertiesOf(bearer: PropertyBearer): fc.Arbitrary<Properties> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {}
  for (const { name, kind, bearers, repeatsIn } of propertyTable) {
    if (!bearers.includes(bearer)) continue
    const maxLength = repeatsIn?.includes(bearer) ? 4 : 1
    fields[name] =
      repeatsIn === undefined ? values[kind] : fc.array(values[kind], { minLength: 1, maxLength })
  }
  return fc.record(fields, { requiredKeys: [], noNullPrototype: true })
}

/** A few bytes of it changed, left out, doubled, put in, or cut off. */
export function damaged(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.nat(), fc.constantFrom('set', 'drop', 'double', 'insert', 'cut'), fc.nat(255))
  return fc.tuple(whole, fc.array(change, { minLength: 1, maxLength: 3 })).map(([original, changes]) => {
    let some = Buffer.from(original)
    for (const [place, how, byte] of changes) {
      const at = some.length === 0 ? 0 : place % some.length
      const [before, after] = [some.subarray(0, at), some.subarray(at)]
      if (how === 'set') some = Buffer.concat([before, Buffer.of(byte), after.subarray(1)])
      else if (how === 'drop') some = Buffer.concat([before, after.subarray(1 + (byte % 4))])
      else if (how === 'double') some = Buffer.concat([before, after.subarray(0, 1 + (byte % 16)), after])
      else if (how === 'insert') some = Buffer.concat([before, Buffer.of(byte), after])
      else some = Buffer.from(before)
    }
    return some
  })
}
