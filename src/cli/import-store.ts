import { randomBytes } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { Counters } from '../core/counters.ts'
import { DamselflyError } from '../core/errors.ts'
import { type Listener, mainListener } from '../core/listener.ts'
import type { Logger } from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import { connectTo } from './import-doors.ts'

/** The data folder of a Damselfly that does not run, opened to be written into. */
export interface ImportStore {
  /** Publishes into it; what is retained stays, with all its properties. */
  readonly client: MqttClient
  retainedMessages(): number
  /** Writes down what is there, and closes it. */
  close(): Promise<void>
}

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Opens a data folder with the broker itself, which listens on a port of this machine that nobody knows, for one client
 * that nobody else can be.
 * @throws DamselflyError `STORE_FAILED`, also when a Damselfly runs on this folder
 */
export async function openImportStore(dataDir: string): Promise<ImportStore> {
  const { Broker } = await import('../broker/broker.ts')
  const secret = () => randomBytes(24).toString('base64url')
  const credentials = { username: secret(), password: new Secret(secret()) }
  const broker = await Broker.open({
    dataDir,
    durability: 'crash', // all of it reaches the disk at once, at the end
    access: { allowAnonymous: 'nobody', credentials },
    isOwnAddress: () => true,
    log: quiet,
    counters: new Counters(),
  })
  try {
    const listener: Listener = {
      name: mainListener,
      where: { kind: 'tcp', bind: [{ kind: 'loopback' }], port: 0 },
      webSocket: undefined,
      tls: undefined,
      allowAnonymous: 'nobody',
      credentials,
      users: [],
      acl: undefined,
      connectionsMax: 1,
    }
    await broker.listen([{ listener, addresses: ['127.0.0.1'] }])
    const port = broker.open[0]?.port
    if (port === undefined)
      throw new DamselflyError('STORE_FAILED', 'this machine has no port to spare on 127.0.0.1')
    const plain = {
      unix: undefined,
      isWebSocket: false,
      isTls: false,
      wantsCertificate: false,
      isMounted: false,
    }
    const client = await connectTo({ name: 'import', host: '127.0.0.1', port, ...plain }, credentials, 5)
    return {
      client,
      retainedMessages: () => broker.retainedMessages,
      close: async () => {
        await client.endAsync()
        await broker.close()
        await syncAll(dataDir)
      },
    }
  } catch (error) {
    await broker.close()
    throw error
  }
}

/** Sees to it that what has been written is on the disk. */
async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    await using file = await open(join(entry.parentPath, entry.name))
    await file.sync()
  }
}
