// The load: a process of its own, forked by measure.mjs, that sends `count` messages at an even pace. They are
// encoded before the start; only the number and the time in them are written anew.
//   { port, topic, rate, count, qos, subscribes }   'ready' → 'go' → { tookMs, lateMs } → 'end' → { acknowledged, … }
// With `subscribes` it also reads what it publishes, on a second connection (QoS 0 only).
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { connect, publishPacket, subscribePacket } from './mqtt-wire.mjs'

const { port, topic, rate, count, qos, subscribes } = JSON.parse(process.argv[2])

/** JSON allows spaces before a number, so every message can have the same length. */
const seqWidth = 9
const timeWidth = 18
const blankSeq = ' '.repeat(seqWidth)
const blankTime = ' '.repeat(timeWidth)
const message = publishPacket(topic, `{"msg":"ON","seq":${blankSeq},"t":${blankTime}}`, qos)
const seqAt = message.indexOf(blankSeq)
const timeAt = message.indexOf(blankTime, seqAt + seqWidth)
const idAt = message.indexOf('{') - 2
const pubackBytes = 4

let acknowledgedBytes = 0
let deliveredBytes = 0
const subscriber = subscribes ? await connect(port, 'bench-subscriber') : undefined
if (subscriber !== undefined) {
  subscriber.write(subscribePacket(topic, 0))
  await once(subscriber, 'data')
  subscriber.on('data', (chunk) => {
    deliveredBytes += chunk.length
  })
}
const publisher = await connect(port, 'bench-publisher')
publisher.on('data', (chunk) => {
  acknowledgedBytes += chunk.length
})

process.send('ready')
await once(process, 'message')
process.send(await sendAll())
await once(process, 'message')
const { user, system } = process.cpuUsage()
process.send({
  acknowledged: acknowledgedBytes / pubackBytes,
  delivered: deliveredBytes / message.length,
  cpuNs: (user + system) * 1_000,
})
process.disconnect()
publisher.destroy()
subscriber?.destroy()

/** Each message when it is due; more than 1,000 a second go in bundles, one each millisecond. */
async function sendAll() {
  const bell = new Int32Array(new SharedArrayBuffer(4))
  const perBundle = Math.max(1, Math.round(rate / 1_000))
  const bundleMs = (perBundle * 1_000) / rate
  const begunMs = performance.now()
  let lateMs = 0
  let seq = 0
  for (let dueMs = begunMs; seq < count; dueMs += bundleMs) {
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) Atomics.wait(bell, 0, 0, waitMs) // @NOTE Node's timers know whole milliseconds only
    lateMs = Math.max(lateMs, performance.now() - dueMs)
    const bundle = []
    while (bundle.length < perBundle && seq < count) bundle.push(stamped(seq++))
    if (!publisher.write(Buffer.concat(bundle))) await once(publisher, 'drain')
    await turn() // what came meanwhile is read here
  }
  return { tookMs: performance.now() - begunMs, lateMs }
}

function stamped(seq) {
  const bytes = Buffer.from(message)
  bytes.write(`${seq}`.padStart(seqWidth), seqAt, 'latin1')
  bytes.write(`${process.hrtime.bigint()}`.padStart(timeWidth), timeAt, 'latin1')
  if (qos > 0) bytes.writeUInt16BE((seq % 65_535) + 1, idAt)
  return bytes
}
