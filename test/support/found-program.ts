// Run inside a network namespace by test/daemon/discovery.test.ts: connects, without an address or with that in the
// arguments (then a name and a password as well), and prints what comes, or why it cannot.
import { connect } from '#src/client/connect.js'
import { reasonOf } from '#src/core/errors.js'

const [url, username, password] = process.argv.slice(2)
const login = username === undefined || password === undefined ? {} : { username, password }
try {
  const client = await connect(url, { ...login, onState: (state) => console.log(`state ${state}`) })
  await client.register('home/#')
  console.log('state connected')
  for await (const { topic, payload } of client.messages('home/#')) console.log(`${topic} ${payload}`)
} catch (error) {
  console.log(reasonOf(error))
  process.exitCode = 1
}
