import { connect } from 'damselfly'

const client = await connect(process.argv[2])
await client.send('lists', [1, 2.5, { room: 'attic' }]) // one message
await client.send('numbers', [1, 2, 3], { each: true }) // one message for each
await client.close()
