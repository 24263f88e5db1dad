import type { AedesPublishPacket, PublishPacket } from 'aedes'
import { Publication } from './publication.ts'

const placeholder = Buffer.alloc(0)

/** For `aedes.publish`, which copies `properties` by reference: the message itself rides there, payload included. */
export function packetOf(publication: Publication): PublishPacket {
  const { topic, qos, retain } = publication
  const packet = { cmd: 'publish', topic, payload: placeholder, qos, retain, dup: false } as const
  return { ...packet, properties: publication as PublishPacket['properties'] & Publication }
}

/** The message in a packet of aedes; undefined in those that aedes makes for itself. */
export function publicationOf(packet: AedesPublishPacket): Publication | undefined {
  const properties: unknown = packet.properties
  return properties instanceof Publication ? properties : undefined
}
