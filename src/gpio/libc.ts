import { getSystemErrorName } from 'node:util'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { assertMachineCode } from '../core/machine-code.ts'

/**
 * The two system calls that Node has not; open, read and close are its own (`node:fs`).
 * Both block, both throw an Error whose `code` is the system's error name (`EBUSY`, …).
 */
export interface Libc {
  /** ioctl(2) with a buffer as argument, which the kernel may change. */
  ioctl(fd: number, request: number, argument: Buffer): void
  /** poll(2); the answer stands in the buffer. An interruption counts as time passed. */
  poll(pollFds: Buffer, count: number, timeoutMs: number): void
}

let loaded: Promise<Libc> | undefined

/**
 * The C library, loaded at the first call.
 * @throws DamselflyError `GPIO_FAILED` where koffi has no code for this machine (ARMv6: Pi Zero, Pi 1)
 */
export function libc(): Promise<Libc> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Libc> {
  try {
    assertMachineCode('koffi')
    const { default: koffi } = await import('koffi')
    const library = koffi.load(null) // the process's own symbols: glibc and musl alike
    const ioctl = library.func('int ioctl(int fd, unsigned long request, void *argument)')
    const poll = library.func('int poll(void *fds, unsigned long count, int timeout)')
    const check = (call: string, result: number): void => {
      if (result >= 0) return
      const code = getSystemErrorName(-koffi.errno())
      throw Object.assign(new Error(`${call}: ${code}`), { code })
    }
    return {
      ioctl(fd, request, argument) {
        check('ioctl', ioctl(fd, request, argument))
      },
      poll(pollFds, count, timeoutMs) {
        const result = poll(pollFds, count, timeoutMs)
        if (result < 0 && koffi.errno() === koffi.os.errno['EINTR']) {
          pollFds.fill(0)
          return
        }
        check('poll', result)
      },
    }
  } catch (cause) {
    throw new DamselflyError(
      'GPIO_FAILED',
      `cannot call the C library on ${process.platform} ${process.arch}: ${reasonOf(cause)}; real pins need a 64-bit system or ARMv7 (Pi 2 and newer), GPIO_CHIP=simulated needs nothing`,
      { cause },
    )
  }
}
