import assert from 'node:assert/strict'
import { machine } from 'node:os'
import { test } from 'node:test'
import { assertMachineCode } from '#src/core/machine-code.js'

test('machine code for ARMv7 is refused on ARMv6, by name, and nowhere else', () => {
  for (const kind of ['armv7l', 'armv8l', 'aarch64', 'x86_64', machine()])
    assert.doesNotThrow(() => assertMachineCode('koffi', kind))
  assert.throws(() => assertMachineCode('koffi', 'armv6l'), /koffi is for ARMv7 and newer.*armv6l/)
})
