// The two brokers of the broker's bench, set alike: no log, no limit on what waits, the same window.
//   settings { inflight, isDurable, isQueueBounded, env }
//     inflight   messages of QoS 1 and 2 on their way to one client; 0 for any number
//     isDurable  Damselfly's DURABILITY=power, and mosquitto's persistence as it is when one turns it on
//     isQueueBounded   mosquitto keeps its bound for what waits for a client: 1,000 messages
//     env        more keys of Damselfly's .env
//     isSecure   over TLS, with the same certificate
import { firstConnackNs } from '../mqtt-wire.mjs'
import { certificate } from './certificate.mjs'
import { startDamselfly } from './damselfly.mjs'
import { startMosquitto } from './mosquitto.mjs'
import { end, freePort, processors, spawnOn } from './support.mjs'

/** By side. @param command a shell's, to start in Damselfly's place (`startCommand`) */
export function brokers(command) {
  return {
    damselfly:
      command === undefined ? damselflyBroker : (folder, settings) => startCommand(command, folder, settings),
    mosquitto: mosquittoBroker,
  }
}

async function damselflyBroker(folder, { inflight = 0, isDurable = false, isSecure = false, env = {} }) {
  const secure = isSecure ? await secureListener(folder) : undefined
  const broker = await startDamselfly(folder, {
    processors: processors.broker,
    env: {
      ALLOW_ANONYMOUS: 'true',
      DURABILITY: isDurable ? 'power' : 'memory',
      MAX_INFLIGHT_MESSAGES: inflight,
      LOG_LEVEL: 'error',
      ...env,
    },
    ...(secure && { rules: secure.yaml }),
  })
  return { ...broker, ...(secure && { port: secure.port }), isDamselfly: true }
}

async function secureListener(folder) {
  const { cert, key } = await certificate(folder)
  const port = await freePort()
  const tls = `{ cert: ${cert}, key: ${key} }`
  const yaml = `listeners:\n  secure: { port: ${port}, bind: loopback, allow_anonymous: true, tls: ${tls} }\n`
  return { port, yaml }
}

async function mosquittoBroker(
  folder,
  { inflight = 0, isDurable = false, isQueueBounded = false, isSecure = false },
) {
  const { cert, key } = isSecure ? await certificate(folder) : {}
  const secure = isSecure ? { port: await freePort(), cert, key } : undefined
  const broker = await startMosquitto(folder, {
    processors: processors.broker,
    config: [
      'log_dest none',
      `max_inflight_messages ${inflight}`,
      ...(isQueueBounded ? [] : ['max_queued_messages 0']),
      'set_tcp_nodelay true',
      ...(isDurable ? ['persistence true', `persistence_location ${folder}/`] : ['persistence false']),
      ...(secure === undefined
        ? []
        : [`listener ${secure.port} 127.0.0.1`, `certfile ${secure.cert}`, `keyfile ${secure.key}`]),
    ],
  })
  return { ...broker, ...(secure && { port: secure.port }) }
}

/** A broker of another kind; the command finds $PORT, $INFLIGHT (65535 for any number) and $DURABILITY, and must `exec`. */
async function startCommand(command, folder, { inflight = 0, isDurable = false }) {
  const port = await freePort()
  const child = spawnOn(processors.broker, 'sh', ['-c', command], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      PORT: `${port}`,
      INFLIGHT: `${inflight === 0 ? 65_535 : inflight}`,
      DURABILITY: isDurable ? 'power' : 'memory',
    },
  })
  await firstConnackNs(port, child)
  return { port, pid: child.pid, stop: () => end(child) }
}
