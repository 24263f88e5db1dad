import { connect } from 'damselfly'

const client = await connect(process.argv[2])
await client.register('lists')
process.stdout.write('waiting for a list\n')
const { payload } = await client.next('lists', { timeout: '1m' })
process.stdout.write(`${payload.length} elements: ${JSON.stringify(payload)}\n`)
await client.close()
