import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './temp-folder.js'

/** A folder with these files in it, as sysfs would have them. */
export async function sysfs(t: TestContext, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const sysDir = await tempFolder(t)
  await addFiles(sysDir, files)
  return sysDir
}

export async function addFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

/** `w1_slave` of a DS18B20, as the kernel writes it. */
export function w1Slave(milli: number, crc: 'YES' | 'NO' = 'YES'): string {
  return `72 01 4b 46 7f ff 0e 10 57 : crc=57 ${crc}\n72 01 4b 46 7f ff 0e 10 57 t=${milli}\n`
}
