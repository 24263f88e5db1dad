import type { AedesPublishPacket, PublishPacket } from 'aedes'
import { Publication } from './publication.ts'

/** @NOTE aedes wants a payload and does not look into it: it is read from the publication. */
const placeholder = Buffer.alloc(0)

/** For `aedes.publish`, which copies `properties` by reference: the message itself rides there, payload included. */
export function packetOf(publication: Publication): PublishPacket {
  // one literal for all: spreading makes it ten times as dear
  return {
    cmd: 'publish',
    topic: publication.topic,
    payload: placeholder,
    qos: publication.qos,
    retain: publication.retain,
    dup: false,
    properties: publication as PublishPacket['properties'] & Publication,
  }
}

/** The message in a packet of aedes; undefined in those that aedes makes for itself. */
export function publicationOf(packet: AedesPublishPacket): Publication | undefined {
  const properties: unknown = packet.properties
  return properties instanceof Publication ? properties : undefined
}
