// The load: a process of its own, forked by measure.mjs, that sends `count` messages at an even pace, or at once
// ('piped'). They are encoded before the start; only the number and the time in them are written anew.
//   { port, topic, rate, count, qos }   'ready' → 'go' → { tookMs, lateMs } → 'end' → { acknowledged, cpuNs }
import { once } from 'node:events'
import { connect, publishPacket } from '../mqtt-wire.mjs'
import { paced } from '../pace.mjs'

const { port, topic, rate, count, qos } = JSON.parse(process.argv[2])

/** JSON allows spaces before a number, so every message can have the same length. */
const seqWidth = 9
const timeWidth = 18
const blankSeq = ' '.repeat(seqWidth)
const blankTime = ' '.repeat(timeWidth)
const message = publishPacket(topic, `{"msg":"ON","seq":${blankSeq},"t":${blankTime}}`, { qos })
const seqAt = message.indexOf(blankSeq)
const timeAt = message.indexOf(blankTime, seqAt + seqWidth)
const idAt = message.indexOf('{') - 2
const pubackBytes = 4

let acknowledgedBytes = 0
const publisher = await connect(port, 'bench-publisher')
publisher.on('data', (chunk) => {
  acknowledgedBytes += chunk.length
})

process.send('ready')
await once(process, 'message')
process.send(await sendAll())
await once(process, 'message')
const { user, system } = process.cpuUsage()
process.send({ acknowledged: acknowledgedBytes / pubackBytes, cpuNs: (user + system) * 1_000 })
process.disconnect()
publisher.destroy()

function sendAll() {
  if (rate !== 'piped') return paced(rate, count, send)
  const begunMs = performance.now()
  return send(0, count).then(() => ({ tookMs: performance.now() - begunMs, lateMs: 0 }))
}

async function send(from, to) {
  const bundle = []
  for (let seq = from; seq < to; seq++) bundle.push(stamped(seq))
  if (!publisher.write(Buffer.concat(bundle))) await once(publisher, 'drain')
}

function stamped(seq) {
  const bytes = Buffer.from(message)
  bytes.write(`${seq}`.padStart(seqWidth), seqAt, 'latin1')
  bytes.write(`${process.hrtime.bigint()}`.padStart(timeWidth), timeAt, 'latin1')
  if (qos > 0) bytes.writeUInt16BE((seq % 65_535) + 1, idAt)
  return bytes
}
