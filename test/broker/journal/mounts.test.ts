import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReadOnlyMount } from '#src/broker/journal/mounts.js'

const root = '21 1 98:0 / / ro,relatime - ext4 /dev/root rw\n'
const data = (own: string, all: string, place = '/var/lib/damselfly'): string =>
  `89 71 254:0 / ${place} ${own},nosuid,relatime shared:94 master:53 - ext4 /dev/mapper/data ${all}\n`
const path = '/var/lib/damselfly/broker'

test('a file system is read-only for us alone when our mount of it is, and it is not itself', () => {
  const cases: readonly (readonly [boolean, string])[] = [
    [true, root + data('ro', 'rw,errors=remount-ro')],
    [false, root + data('ro', 'ro')],
    [false, root + data('rw', 'ro')],
    [false, root + data('rw', 'rw')],
    [true, root],
    [true, data('ro', 'rw') + root],
    [true, data('rw', 'rw') + data('ro', 'rw')],
    [false, data('ro', 'rw') + data('rw', 'rw')],
    [false, root.replace('ro,', 'rw,') + data('ro', 'rw', '/var/lib/damsel')],
    [false, ''],
  ]
  for (const [isReadOnly, mounts] of cases) assert.equal(isReadOnlyMount(mounts, path), isReadOnly, mounts)
  assert.equal(isReadOnlyMount(data('ro', 'rw', '/a\\040b'), '/a b/c'), true)
})
