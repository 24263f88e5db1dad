import type { Access } from '../broker/access.ts'
import type { Settings } from '../config/settings.ts'
import type { Counters } from '../core/counters.ts'
import type { BrokerDoor, DoorSettings, Logger } from '../core/ports.ts'
import type { RemoteBroker } from '../core/remote-broker.ts'
import { lockDataDir } from '../system/data-dir-lock.ts'
import { Doors } from '../system/doors.ts'
import type { Lan } from '../system/lan.ts'
import { ownAddressCheck } from '../system/own-addresses.ts'
import { withPlainStreams } from './plain-streams.ts'
import { version } from './version.ts'

export interface BrokerDoorParts {
  readonly settings: Settings
  /** The topic of our presence, for the will. */
  readonly statusTopic: string
  readonly lan: Lan
  readonly log: Logger
  readonly counters: Counters
  /** Called when the state of the door has changed. */
  readonly onChange: () => void
  /** Called, again and again, while the disk can be written, but only by a process that is started anew. */
  readonly onOutOfReach: () => void
}

/**
 * The broker that the settings mean: one of our own, or the connection to one elsewhere. Each loads what it needs and
 * no more: aedes, or MQTT.js. The data folder is ours from now on, until the door is closed.
 * @throws DamselflyError `STORE_FAILED`
 */
export function brokerDoor(parts: BrokerDoorParts): Promise<BrokerDoor> {
  const { remote } = parts.settings
  return remote === undefined ? ownBroker(parts) : attachedBroker(parts, remote)
}

async function ownBroker(parts: BrokerDoorParts): Promise<BrokerDoor> {
  const { settings, lan, log, counters, onChange, onOutOfReach } = parts
  const { Broker } = await withPlainStreams(() => import('../broker/broker.ts'))
  const { dataDir } = settings
  const broker = await Broker.open({
    dataDir,
    durability: settings.durability,
    access: accessOf(settings),
    isOwnAddress: ownAddressCheck(),
    systemIntervalMs: settings.systemIntervalMs,
    version: version(),
    log,
    counters,
    onOutOfReach,
  })
  const doors = new Doors({ lan, listening: broker, log, onChange })
  return {
    hub: broker.hub,
    view: broker.view,
    hubFor: (identity) => broker.hubFor(identity),
    get state() {
      return {
        addresses: doors.addressesOf(),
        listeners: broker.open,
        pending: doors.pending,
        clients: broker.clientCount,
        sessions: broker.sessionCount,
        queuedMessages: broker.queuedMessages,
        retainedMessages: broker.retainedMessages,
        store: broker.store,
        bridges: broker.bridges,
      }
    },
    open: async ({ listeners, bridges }) => {
      await doors.apply(listeners)
      await broker.setBridges(bridges)
    },
    apply: async (next) => {
      broker.setAccess(accessOf(next))
      broker.setSystemInterval(next.systemIntervalMs ?? 0)
      await doors.apply(next.listeners) // first: who was revoked does not wait for a bridge that takes its leave
      await broker.setBridges(next.bridges)
    },
    settle: async () => await doors[Symbol.asyncDispose](),
    close: () => broker.close(),
  }
}

function accessOf({ name, allowAnonymous, credentials, listeners }: DoorSettings): Access {
  const [main] = listeners
  return {
    name,
    allowAnonymous,
    credentials,
    users: main?.users ?? [],
    listeners: new Map(listeners.map((listener) => [listener.name, listener])),
  }
}

async function attachedBroker(
  { settings, statusTopic, log, counters, onChange }: BrokerDoorParts,
  remote: RemoteBroker,
): Promise<BrokerDoor> {
  const { name, dataDir } = settings
  const lock = await lockDataDir(dataDir)
  const { AttachedBroker } = await import('../broker/attached/attached-broker.ts')
  const will = { topic: statusTopic, payload: 'offline' }
  const broker: BrokerDoor = new AttachedBroker({ broker: remote, name, log, counters, will, onChange })
  return {
    hub: broker.hub,
    hubFor: (identity) => broker.hubFor(identity),
    get state() {
      return broker.state
    },
    open: (next) => broker.open(next),
    apply: (next) => broker.apply(next),
    settle: () => broker.settle(),
    close: async () => {
      await broker.close()
      await lock.release()
    },
  }
}
