import { machine } from 'node:os'

/**
 * To be called before a library that is machine code is loaded. The store's own (classic-level) needs it not: it has code
 * for ARMv6, too.
 * @NOTE What npm and the Debian package bring for ARM of 32 bits is for ARMv7. Linux loads it on ARMv6 all the same, and
 * then ends the process at the first instruction that is not there (SIGILL), without a word.
 * @param kind as `uname -m` says it
 * @throws Error on ARMv6 (Pi 1, Pi Zero)
 */
export function assertMachineCode(library: string, kind = machine()): void {
  if (kind === 'armv6l')
    throw new Error(`${library} is for ARMv7 and newer, and this is an ${kind} (Pi 1, Pi Zero)`)
}
