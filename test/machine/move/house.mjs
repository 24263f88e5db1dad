// What is asked of either broker: retained messages, the bridge, the units.
import mqtt from 'mqtt'
import { sh, sleep, systemctl } from '../proof.mjs'
import { passwordOf } from './clients.mjs'

export const retainedCount = 1_000
const owner = { username: 'owner', password: passwordOf('owner'), reconnectPeriod: 0 }
const payloadOf = (index) => `value ${index}`

export async function fillRetained() {
  const client = await mqtt.connectAsync('mqtt://127.0.0.1', owner)
  for (let index = 0; index < retainedCount; index++)
    await client.publishAsync(`store/${index}`, payloadOf(index), { qos: index % 3, retain: true })
  await client.endAsync()
}

/** How many of the retained messages are there, whole and with their QoS. */
export async function retainedFound() {
  const client = await mqtt.connectAsync('mqtt://127.0.0.1', owner)
  const found = new Set()
  client.on('message', (topic, payload, { qos, retain }) => {
    const index = Number(topic.slice('store/'.length))
    if (retain && qos === index % 3 && `${payload}` === payloadOf(index)) found.add(index)
  })
  // a hundred at a time: mosquitto has a bound on what it sends of QoS 1 and 2
  for (let from = 0; from < retainedCount; from += 100) {
    const topics = Array.from({ length: 100 }, (_, index) => `store/${from + index}`)
    await client.subscribeAsync(topics, { qos: 2 })
    for (let turn = 0; turn < 100 && found.size < from + 100; turn++) await sleep(50)
  }
  await client.endAsync()
  return found.size
}

/** Whether a message gets over the bridge, there and back. */
export async function bridgeWorks(label) {
  const [here, there] = [
    ['-u', 'owner', '-P', passwordOf('owner')],
    ['-p', '1884'],
  ]
  const over = async (from, to, topic) => {
    const heard = sh('mosquitto_sub', ...to, '-t', topic, '-C', '1', '-W', '30')
    const sending = setInterval(() => sh('mosquitto_pub', ...from, '-t', topic, '-m', label), 1_000)
    const { stdout } = await heard
    clearInterval(sending)
    return stdout.trim() === label
  }
  return (await over(here, there, `out/${label}`)) && (await over(there, here, `in/${label}`))
}

/** How a unit is: `active enabled`. */
export async function unitState(name) {
  const states = await Promise.all(['is-active', 'is-enabled'].map((word) => systemctl(word, name)))
  return states.map(({ stdout }) => stdout.trim()).join(' ')
}

export const moveIn = () =>
  sh(
    'damselfly',
    ...['import', '/etc/mosquitto/mosquitto.conf', '--switch'],
    ...['--username', 'owner', '--password', passwordOf('owner')],
  )
