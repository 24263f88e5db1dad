// Connections that are held and say nothing; who has lost his comes back. A program of its own:
//   node bench/soak/crowd.mjs PORT COUNT   tells its parent { held, lost } each second
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../broker/client.mjs'

const [port, count] = process.argv.slice(2).map(Number)
const pauseMs = () => 500 + Math.random() * 5_000
let held = 0
let lost = 0

process.once('disconnect', () => process.exit())
for (let index = 0; index < count; index++) {
  void hold(`crowd-${index}`)
  if (index % 50 === 0) await sleep(20)
}
setInterval(() => process.send?.({ held, lost }), 1_000)

async function hold(id) {
  for (;;) {
    const client = await Client.open(port, id).catch(() => undefined)
    if (client !== undefined) {
      held++
      await new Promise((resolve) => {
        if (client.isEnded) resolve()
        else client.socket.once('close', resolve)
      })
      held--
      lost++
    }
    await sleep(pauseMs())
  }
}
