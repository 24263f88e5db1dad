import { connect } from 'damselfly'

const client = await connect(process.argv[2])
await client.register('lists')
console.log('waiting for a list')
const { payload } = await client.next('lists', { timeout: '1m' })
console.log(`${payload.length} elements: ${JSON.stringify(payload)}`)
await client.close()
