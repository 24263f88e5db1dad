import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { Counters } from '../core/counters.ts'
import type { Listener } from '../core/listener.ts'
import type { Logger } from '../core/ports.ts'
import { connectTo } from './import-doors.ts'

/** The data folder of a Damselfly that does not run, opened to be written into. */
export interface ImportStore {
  /** Publishes into it; what is retained stays, with all its properties. */
  readonly client: MqttClient
  /** Writes down what is there, and closes it; a second call does nothing. */
  close(): Promise<void>
}

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Opens a data folder with the broker itself, which listens on a Unix socket that this user alone can get at.
 * @throws DamselflyError `STORE_FAILED`, also when a Damselfly runs on this folder
 */
export async function openImportStore(dataDir: string): Promise<ImportStore> {
  const { Broker } = await import('../broker/broker.ts')
  const access = { allowAnonymous: 'everyone', credentials: undefined } as const
  const broker = await Broker.open({
    dataDir,
    durability: 'crash', // all of it reaches the disk at once, at the end
    access,
    isOwnAddress: () => true,
    log: quiet,
    counters: new Counters(),
  })
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-import-')) // for this user alone
  const close = async (): Promise<void> => {
    await broker.close()
    await rm(folder, { recursive: true, force: true })
    await syncAll(dataDir)
  }
  try {
    const path = join(folder, 'mqtt.sock')
    const listener: Listener = {
      name: 'import',
      where: { kind: 'unix', path, mode: 0o600 },
      webSocket: undefined,
      tls: undefined,
      ...access,
      users: [],
      acl: undefined,
      connectionsMax: 1,
    }
    const [failure] = await broker.listen([{ listener, addresses: [path] }])
    if (failure !== undefined) throw failure.error
    const client = await connectTo({ ...plainDoor, name: 'import', unix: path }, undefined, 5)
    const end = async (): Promise<void> => {
      await client.endAsync()
      await close()
    }
    let ending: Promise<void> | undefined
    return {
      client,
      close: () => {
        ending ??= end()
        return ending
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

const plainDoor = {
  host: '',
  port: 0,
  isWebSocket: false,
  isTls: false,
  wantsCertificate: false,
  isMounted: false,
}

/** Sees to it that what has been written is on the disk. */
async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    await using file = await open(join(entry.parentPath, entry.name))
    await file.sync()
  }
}
