import { constants, open } from 'node:fs/promises'
import { limits } from '../core/limits.ts'

/**
 * The text of a file that holds one value.
 * @throws the file system's error; an Error for what is no such file (a folder, a pipe, a device, a large file)
 */
export async function readText(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK) // a pipe would keep us waiting
  try {
    if (!(await file.stat()).isFile()) throw new Error('it is no plain file')
    const room = Buffer.alloc(limits.sensorFileBytesMax + 1)
    const { bytesRead } = await file.read(room, 0, room.length, 0)
    if (bytesRead === room.length) throw new Error(`it is longer than ${limits.sensorFileBytesMax} bytes`)
    return room.toString('utf8', 0, bytesRead).trim()
  } finally {
    await file.close()
  }
}
