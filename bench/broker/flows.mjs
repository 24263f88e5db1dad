// Messages from publishers to subscribers as fast as they go: fan-in, fan-out, wildcards, one message in flight,
// large payloads. A scenario is data; the driver is the same.
import { batchOf } from './batch.mjs'
import { Client } from './client.mjs'
import { Pipe } from './pipe.mjs'

const reading = '{"temperature":21.5,"humidity":47.25,"battery":2.97}'
const properties = [
  ['unit', 'celsius'],
  ['source', 'greenhouse-17'],
]
const devices = 10_000

/** Who publishes and subscribes to what; `fan` is how many subscribers get one message. */
const shapes = {
  in: {
    topics: (publisher) => [`bench/in/${padded(publisher, 3)}/reading`],
    filters: () => ['bench/in/#'],
  },
  out: {
    topics: () => ['bench/out/reading'],
    filters: () => ['bench/out/#'],
    fan: ({ subscribers }) => subscribers,
  },
  wildcards: {
    topics: () => shuffled(devices).map((device) => `dev/shed/${padded(device, 4)}/temperature`),
    filters: (subscriber, { subscribers }) => {
      const each = devices / subscribers
      return Array.from({ length: each }, (_, index) => `dev/+/${padded(subscriber * each + index, 4)}/#`)
    },
  },
}

const fanIn = { shape: 'in', publishers: 10, subscribers: 1 }
const fanOut = { shape: 'out', publishers: 1, subscribers: 100, airMax: 2_048 }
const inMessages = { full: 300_000, quick: 100_000, smoke: 500 }
// @NOTE mosquitto's cost of a QoS 2 message grows with the number of those that are under way: 40 µs at 200, 100 at 1,000
const exactlyOnce = { ...fanIn, qos: 2, airMax: 200 }
const exactlyOnceMessages = { full: 60_000, quick: 20_000, smoke: 200 }
const outMessages = { full: 10_000, quick: 3_000, smoke: 10 }
const singly = { shape: 'in', publishers: 100, subscribers: 1, window: 1 }
const singleMessages = { full: 60_000, quick: 20_000, smoke: 300 }

/** In the order of the table. */
export const flows = [
  scenario('fan-in-q0', '10 publishers → 1 subscriber, QoS 0', { ...fanIn, qos: 0 }, inMessages, {
    target: 5,
  }),
  scenario('fan-in-q1', 'the same, QoS 1', { ...fanIn, qos: 1 }, inMessages, { target: 8 }),
  scenario('fan-in-q2', 'the same, QoS 2', exactlyOnce, exactlyOnceMessages, { target: 10 }),
  scenario('fan-in-q1-window', 'QoS 1, 20 in flight', { ...fanIn, qos: 1, window: 20 }, inMessages),
  scenario('fan-in-q2-window', 'QoS 2, 20 in flight', { ...exactlyOnce, window: 20 }, exactlyOnceMessages),
  scenario(
    'fan-in-properties',
    'MQTT 5, QoS 0, two user properties',
    { ...fanIn, qos: 0, level: 5, properties },
    inMessages,
    { target: 5 },
  ),
  scenario('fan-out-q0', '1 publisher → 100 subscribers, QoS 0', { ...fanOut, qos: 0 }, outMessages, {
    target: 5,
  }),
  scenario('fan-out-q1', 'the same, QoS 1', { ...fanOut, qos: 1 }, outMessages, { target: 5 }),
  scenario(
    'wildcards',
    '10,000 subscriptions `dev/+/N/#` of 100 connections',
    { shape: 'wildcards', publishers: 4, subscribers: 100, qos: 0 },
    { full: 400_000, quick: 100_000, smoke: 500 },
    { target: 4 },
  ),
  scenario(
    'one-in-flight-q0',
    '100 publishers → 1 subscriber, one message in flight each, QoS 0',
    { ...singly, qos: 0 },
    singleMessages,
    { target: 1.2, pairs: 9 },
  ),
  scenario('one-in-flight-q1', 'the same, QoS 1', { ...singly, qos: 1 }, singleMessages, {
    target: 1.2,
    pairs: 9,
  }),
  scenario(
    'large',
    '4 publishers → 1 subscriber, 64 KiB each, QoS 0',
    { shape: 'in', publishers: 4, subscribers: 1, qos: 0, payloadBytes: 65_536, airMax: 16 },
    { full: 10_000, quick: 2_000, smoke: 20 },
  ),
  scenario('tls-fan-in-q0', '10 publishers → 1 subscriber, QoS 0, over TLS', overTls(fanIn, 0), inMessages),
  scenario('tls-fan-in-q1', 'the same, QoS 1', overTls(fanIn, 1), inMessages),
  scenario(
    'tls-fan-out-q0',
    '1 publisher → 100 subscribers, QoS 0, over TLS',
    overTls(fanOut, 0),
    outMessages,
  ),
]

function scenario(name, title, params, messages, { target, pairs } = {}) {
  return {
    name,
    title,
    pairs,
    target,
    file: import.meta.filename,
    driver: 'flow',
    settings: { inflight: params.window === 20 ? 20 : 0, isSecure: params.isSecure },
    params: (plan) => ({ ...params, messages: messages[plan] }),
  }
}

function overTls(params, qos) {
  return { ...params, qos, isSecure: true }
}

/** The driver of all of them. A third of the messages more go first, unmeasured: a daemon runs for months. */
export async function flow({ port }, params) {
  const {
    shape,
    publishers,
    subscribers,
    qos,
    messages,
    payloadBytes,
    window,
    airMax,
    properties,
    level = 4,
    user,
    isSecure,
  } = params
  const { topics, filters, fan = () => 1 } = shapes[shape]
  const options = { level, user, isSecure }
  const receivers = await open(port, subscribers, 'subscriber', options)
  for (const [index, receiver] of receivers.entries())
    await receiver.subscribe(filters(index, params), qos, level)
  const senders = await open(port, publishers, 'publisher', options)
  const payload = payloadBytes === undefined ? reading : 'x'.repeat(payloadBytes)
  const pipe = new Pipe({
    publishers: senders.map((client, index) => ({
      client,
      batch: batchOf(
        topics(index),
        window ?? (payloadBytes === undefined ? 16_384 : 1),
        padded(index, 3) + payload,
        {
          ...{ qos, level, properties },
        },
      ),
      qos,
    })),
    receivers,
    fan: fan(params),
    window,
    airMax,
  })
  return {
    warmUp: () => pipe.run(Math.ceil(messages / 3)),
    run: async () => ({ units: (await pipe.run(messages)).delivered }),
    counts: () => pipe.counts(),
    close: () => {
      for (const client of [...senders, ...receivers]) client.close()
    },
  }
}

function open(port, count, role, options) {
  return Promise.all(
    Array.from({ length: count }, (_, index) => Client.open(port, `bench-${role}-${index}`, options)),
  )
}

function padded(value, digits) {
  return `${value}`.padStart(digits, '0')
}

/** 0 to count - 1 in an order that looks random, always the same. */
function shuffled(count) {
  const step = 7_919 // a prime that does not divide it
  return Array.from({ length: count }, (_, index) => (index * step) % count)
}
