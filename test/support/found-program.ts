// Run inside a network namespace by test/daemon/discovery.test.ts: connects without an address, and prints what comes.
import { connect } from '#src/client/connect.js'

const client = await connect(undefined, {
  onState: (state) => console.log(`state ${state}`),
})
await client.register('home/#')
console.log('state connected')
for await (const { topic, payload } of client.messages('home/#')) console.log(`${topic} ${payload}`)
