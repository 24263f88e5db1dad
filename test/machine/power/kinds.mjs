// Moments at which the power is cut. Each has begun when the machine is there and everything is as it was promised, but for
// `start`, which comes while it boots; each cuts, and says when.
import { setTimeout as sleep } from 'node:timers/promises'

export const kinds = { load, table, promise, users, stop, start }

/** Under load, at any moment. */
async function load(world) {
  await world.run()
  await world.someAcknowledged(300)
  world.dropOne()
  await world.someAcknowledged(300)
  await world.cut()
  return 'under load'
}

/** Messages so long that LevelDB makes tables of its log, and tables of tables. */
async function table(world) {
  const times = 1 + Math.floor(world.between(0, 3))
  const seen = watch(world, `table ${times}`)
  await world.run(12_000)
  world.dropOne()
  const wasSeen = await seen
  const ms = world.between(0, 60)
  await sleep(ms)
  await world.cut()
  return wasSeen ? `${ms.toFixed()} ms after table ${times} was begun` : 'no table was begun'
}

/** While the service is told to stop, or the machine. */
async function stop(world) {
  await world.run()
  await world.someAcknowledged(200)
  world.lifetimes.excuse()
  const command = world.random() < 0.5 ? 'systemctl stop damselfly' : 'systemctl poweroff'
  world.house.ask(command).catch(() => {})
  const ms = world.between(0, 2_500)
  await sleep(ms)
  await world.cut()
  return `${ms.toFixed()} ms after ${command}`
}

/** While the machine boots: mostly while the store is opened, or when the clients come back. */
async function start(world) {
  const wait = world.random() < 0.75 ? watch(world, 'open') : sleep(world.between(0, 8_000), undefined)
  const wasSeen = await wait
  const isOver = () => isCut
  let isCut = false
  world.witness
    .untilAnswering(isOver)
    .then(() => world.witness.connect())
    .catch(() => {})
  const ms = world.between(0, 2_000)
  await sleep(ms)
  isCut = true
  await world.cut()
  return wasSeen ? `${ms.toFixed()} ms after the store began to be opened` : 'while it booted'
}

/** While a user is added, or right after it was. */
async function users(world) {
  const user = {
    name: `user-${world.users.length}-${Math.floor(world.between(0, 1e6))}`,
    password: 'a secret',
  }
  const seen = watch(world, 'users')
  const command = `echo '${user.password}' | damselfly user add ${user.name}`
  await world.run()
  const added = world.house.ask(command).catch((error) => error.message)
  if (world.random() < 0.5) {
    const text = await added
    if (!text.includes(`added ${user.name}`)) world.witness.failures.push(`user add: ${text}`)
    world.users.push(user)
    await world.cut()
    return 'when a user had been added'
  }
  const wasSeen = await seen
  const ms = world.between(0, 60)
  await sleep(ms)
  await world.cut()
  return wasSeen ? `${ms.toFixed()} ms after users.new was there` : 'while a user was added'
}

/** At once after the broker has promised something. */
async function promise(world) {
  await world.run()
  await world.someAcknowledged(200)
  const all = Object.keys(promises)
  const which = all[Math.floor(world.random() * all.length)]
  const late = world.witness.client(`late-${Math.floor(world.between(0, 1e9))}`, world.random() < 0.5 ? 4 : 5)
  const check = await promises[which](world, late, `late/${late.id}`)
  await world.cut()
  late.drop()
  if (check !== undefined) world.after.push(check)
  return `with ${which}`
}

/** Each waits for a packet, and returns what is to be so after the cut. */
const promises = {
  async CONNACK(_world, late) {
    await late.connect()
    return () => late.connect().then(() => late.drop()) // it complains itself when its session is gone
  },
  async SUBACK(world, late, topic) {
    await late.connect()
    await late.subscribe(topic, 1)
    return () => hears(world, late, topic, true)
  },
  async UNSUBACK(world, late, topic) {
    await late.connect()
    await late.subscribe(topic, 1)
    await late.unsubscribe(topic)
    return () => hears(world, late, topic, false)
  },
  async 'PUBACK of a state'(world, late) {
    await late.connect()
    const { witness } = world
    const topic = `state/${late.id}`
    await new Promise((resolve) => {
      late.onAcknowledged = (message) => {
        witness.acknowledgedState(message)
        resolve()
      }
      witness.retain(late, topic, 'here', 1)
    })
  },
  PUBACK: (world) => world.witness.nextAcknowledged(1),
  PUBREC: (world) => world.witness.nextAcknowledged(2),
}

/** Whether a client that was away hears what was published for it. */
async function hears(world, late, topic, isWanted) {
  const { witness } = world
  let heard = 0
  late.onMessage = () => heard++
  const other = witness.client('other', 4)
  await other.connect({ isClean: true })
  other.publish(topic, 'late', 1)
  await new Promise((resolve) => {
    other.onAcknowledged = resolve
  })
  other.drop()
  await late.connect()
  for (let tries = 0; heard === 0 && tries < (isWanted ? 500 : 30); tries++) await sleep(10)
  late.drop()
  if (heard > 0 !== isWanted) witness.broken('others', `${late.id} heard ${heard} messages`)
}

/** @returns whether it was seen there */
async function watch({ house }, what) {
  // in the background there: others ask, too
  await house.ask(`setsid nice bash /job/job/watch.sh ${what} </dev/null >/dev/null 2>&1 &`).catch(() => '')
  return await house.seen(what.split(' ')[0])
}
