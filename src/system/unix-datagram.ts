import { DamselflyError } from '../core/errors.ts'
import { assertMachineCode } from '../core/machine-code.ts'

/** Sends datagrams to one unix socket. */
export interface UnixDatagram {
  /**
   * Never waits.
   * @returns false when the receiver's queue is full: try again later
   * @throws DamselflyError `SERVICE_FAILED` with the system's error number
   */
  send(message: string | Uint8Array): boolean
}

const pathBytesMax = 107 // unix(7): sun_path has 108, the last is NUL

// bits/socket.h; the same numbers on every Linux that Node runs on but MIPS
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

/**
 * Opens a datagram socket whose messages go to `address`, a path or, beginning with `@`, a name in the
 * abstract namespace (unix(7)); it stays open for the life of the process. Node itself has no such sockets.
 * @throws DamselflyError `SERVICE_FAILED` when the address is neither, too long, or no socket can be made
 */
export async function openUnixDatagram(address: string): Promise<UnixDatagram> {
  const destination = socketAddress(address)
  assertMachineCode('koffi')
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int domain, int type, int protocol)')
  const sendto = libc.func(
    'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t addressLength)',
  )
  const failed = (call: string) =>
    new DamselflyError('SERVICE_FAILED', `${call} for ${address} failed with errno ${koffi.errno()}`)
  const fd: number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw failed('socket')
  const { EAGAIN, ENOBUFS } = koffi.os.errno
  return {
    send(message) {
      const bytes = typeof message === 'string' ? Buffer.from(message) : message
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL
      const sent: number = sendto(fd, bytes, bytes.length, flags, destination, destination.length)
      if (sent >= 0) return true
      const errno = koffi.errno()
      if (errno === EAGAIN || errno === ENOBUFS) return false
      throw failed('sendto')
    },
  }
}

/** `struct sockaddr_un`: the family in the machine's byte order, then the path, or NUL and the abstract name. */
function socketAddress(address: string): Buffer {
  const isAbstract = address.startsWith('@')
  if (!isAbstract && !address.startsWith('/')) {
    throw new DamselflyError(
      'SERVICE_FAILED',
      `cannot notify ${address}: expected a path or a name that begins with @`,
    )
  }
  const name = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`)
  if (name.length > pathBytesMax + 1) {
    throw new DamselflyError('SERVICE_FAILED', `${address} is longer than ${pathBytesMax} bytes`)
  }
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer)
  return Buffer.concat([family, name])
}
