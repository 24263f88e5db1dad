import { closeSync, openSync } from 'node:fs'
import type { Counters } from '../core/counters.ts'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import {
  consumer,
  describeLine,
  type GpioChip,
  type InputLine,
  type InputRequest,
  type OnEdge,
  type OutputLine,
  type OutputRequest,
} from './chip.ts'
import { EdgeSequence } from './edge-sequence.ts'
import { InputWatcher } from './input-watcher.ts'
import { type Libc, libc } from './libc.ts'
import {
  chipInfoRoom,
  decodeChipInfo,
  decodeLineFd,
  decodeLineInfo,
  decodeLineValue,
  encodeLineInfoRequest,
  encodeLineRequest,
  encodeLineValue,
  ioctls,
  type LineInfo,
  type LineRequest,
  lineFlags,
} from './uapi.ts'

const pullFlags = {
  up: lineFlags.biasPullUp,
  down: lineFlags.biasPullDown,
  none: lineFlags.biasDisabled,
  'as-is': 0n,
} as const

const eventBufferSize = 256 // the thread empties it at once; bounces while the machine is busy must fit

/**
 * Opens a chip's device and reads what it says of itself.
 * @throws an Error with the system's code: `ENOENT`, `EACCES`, `EPERM`, `ENOTTY` (no GPIO chip), …;
 *   DamselflyError `GPIO_FAILED` where the C library cannot be called
 */
export async function openKernelChip(path: string, log: Logger, counters: Counters): Promise<KernelChip> {
  const library = await libc()
  const fd = openSync(path, 'r+')
  try {
    const info = chipInfoRoom()
    library.ioctl(fd, ioctls.getChipInfo, info)
    const { label, lineCount } = decodeChipInfo(info)
    const lineNames = Array.from({ length: lineCount }, (_, offset) => lineInfo(library, fd, offset).name)
    const watcher = new InputWatcher({ log, counters })
    return new KernelChip({ libc: library, fd, path, label, lineNames, watcher })
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

interface KernelChipParts {
  readonly libc: Libc
  readonly fd: number
  readonly path: string
  readonly label: string
  readonly lineNames: readonly string[]
  readonly watcher: InputWatcher
}

/** A chip of the kernel, by its character device. Each line has a descriptor of its own, closed at release. */
class KernelChip implements GpioChip {
  readonly isSimulated = false
  readonly path: string
  readonly label: string
  readonly lineNames: readonly string[]
  readonly #libc: Libc
  readonly #watcher: InputWatcher
  #fd: number | undefined

  constructor(parts: KernelChipParts) {
    this.path = parts.path
    this.label = parts.label
    this.lineNames = parts.lineNames
    this.#libc = parts.libc
    this.#fd = parts.fd
    this.#watcher = parts.watcher
  }

  requestOutput(offset: number, { isActiveLow, value }: OutputRequest): OutputLine {
    const flags = lineFlags.output | (isActiveLow ? lineFlags.activeLow : 0n)
    const fd = this.#request({ offset, consumer, flags, outputValue: value })
    return {
      write: (next) => this.#call(fd, ioctls.setLineValues, encodeLineValue(next), offset, 'write'),
      release: () => closeSync(fd),
    }
  }

  requestInput(offset: number, request: InputRequest, onEdge: OnEdge): InputLine {
    const { isActiveLow, pull, debounceMs } = request
    const edges = lineFlags.edgeRising | lineFlags.edgeFalling
    const flags = lineFlags.input | edges | pullFlags[pull] | (isActiveLow ? lineFlags.activeLow : 0n)
    const fd = this.#request({ offset, consumer, flags, debounceMs, eventBufferSize })
    const read = (): boolean => {
      const values = encodeLineValue(false)
      this.#call(fd, ioctls.getLineValues, values, offset, 'read')
      return decodeLineValue(values)
    }
    const sequence = new EdgeSequence()
    this.#watcher.add(fd, {
      onEdge: (event) => onEdge(event.value, [], sequence.take(event)),
      resync: () => onEdge(read(), []),
    })
    return {
      read,
      release: async () => {
        await this.#watcher.remove(fd)
        closeSync(fd)
      },
    }
  }

  async close(): Promise<void> {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
  }

  #request(request: LineRequest): number {
    const fd = this.#openFd()
    const bytes = encodeLineRequest(request)
    try {
      this.#libc.ioctl(fd, ioctls.getLine, bytes)
    } catch (cause) {
      throw this.#refused(fd, request.offset, cause)
    }
    return decodeLineFd(bytes)
  }

  #refused(fd: number, offset: number, cause: unknown): DamselflyError {
    const line = describeLine(this, offset)
    if (errnoOf(cause) === 'EBUSY') {
      const holder = lineInfo(this.#libc, fd, offset).consumer
      const who = holder === '' ? 'someone who gave no name' : `"${holder}"`
      const hint = holder === consumer ? ', another Damselfly that is running' : ''
      return new DamselflyError('GPIO_BUSY', `${line} is busy: held by ${who}${hint}`, { cause })
    }
    const hint = errnoOf(cause) === 'ENOTTY' ? '; the kernel must be 5.10 or newer' : ''
    return new DamselflyError('GPIO_FAILED', `cannot take ${line}: ${reasonOf(cause)}${hint}`, { cause })
  }

  #call(fd: number, request: number, argument: Buffer, offset: number, verb: string): void {
    try {
      this.#libc.ioctl(fd, request, argument)
    } catch (cause) {
      const line = describeLine(this, offset)
      throw new DamselflyError('GPIO_FAILED', `cannot ${verb} ${line}: ${reasonOf(cause)}`, { cause })
    }
  }

  #openFd(): number {
    if (this.#fd === undefined) throw new DamselflyError('GPIO_FAILED', `${this.path} is closed`)
    return this.#fd
  }
}

function lineInfo(library: Libc, fd: number, offset: number): LineInfo {
  const info = encodeLineInfoRequest(offset)
  library.ioctl(fd, ioctls.getLineInfo, info)
  return decodeLineInfo(info)
}
