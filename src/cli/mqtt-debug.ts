import type { Packet } from 'mqtt'
import { plain } from './terminal.ts'

/** Tells each packet on standard output, as mosquitto's tools do with `-d`. */
export function packetTeller(clientId: string): (packet: Packet, isSent: boolean) => void {
  return (packet, isSent) => {
    console.log(plain(`Client ${clientId} ${isSent ? 'sending' : 'received'} ${wordsOf(packet)}`))
    if (packet.cmd === 'suback')
      console.log(`Subscribed (mid: ${packet.messageId}): ${packet.granted.join(', ')}`)
  }
}

function wordsOf(packet: Packet): string {
  const name = packet.cmd.toUpperCase()
  switch (packet.cmd) {
    case 'connack':
      return `${name} (${packet.reasonCode ?? packet.returnCode ?? 0})`
    case 'publish': {
      const { dup = false, qos, retain, messageId = 0, topic, payload } = packet
      const flags = `d${Number(dup)}, q${qos}, r${Number(retain)}, m${messageId}`
      return `${name} (${flags}, '${topic}', ... (${Buffer.byteLength(payload)} bytes))`
    }
    case 'subscribe': {
      const filters = packet.subscriptions.map(({ topic, qos, nl = false, rap = false, rh = 0 }) => {
        const options = (rh << 4) | (Number(rap) << 3) | (Number(nl) << 2)
        return `Topic: ${topic}, QoS: ${qos}, Options: 0x${options.toString(16).padStart(2, '0')}`
      })
      return `${name} (Mid: ${packet.messageId}, ${filters.join(', ')})`
    }
    case 'unsubscribe':
      return `${name} (Mid: ${packet.messageId}, Topic: ${packet.unsubscriptions.join(', ')})`
    case 'puback':
    case 'pubrec':
    case 'pubcomp':
      return `${name} (Mid: ${packet.messageId}, RC:${packet.reasonCode ?? 0})`
    case 'pubrel':
      return `${name} (m${packet.messageId})`
    default:
      return name
  }
}
