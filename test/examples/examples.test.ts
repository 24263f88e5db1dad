import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from '../support/daemon.js'
import { type ExampleOptions, tryExample } from '../support/example.js'
import { missing } from '../support/tools.js'

interface Example extends ExampleOptions {
  readonly needs: readonly string[]
}

const examples: Readonly<Record<string, Example>> = {
  'alarm-webhook': { needs: ['mosquitto_pub', 'python3'], ports: [1883, 8090] },
  'button-bell': { needs: ['mosquitto_pub'] },
  'fan-hysteresis': { needs: ['mosquitto_pub'] },
  'hello-every-five-seconds': { needs: ['mosquitto_pub', 'paho'] },
  irrigation: { needs: ['mosquitto_pub'] },
  lamp: { needs: ['mosquitto_pub'] },
  'lists-pi-to-pi': { needs: ['paho'] },
  'readings-to-csv': { needs: ['mosquitto_pub'] },
  'sensor-data-and-config-change': { needs: ['mosquitto_pub', 'paho'] },
  'udp-beside-mqtt': { needs: ['paho'], ports: [1883, 1884, 5005, 5006] },
}

describe('each example does what its README says, word by word', { concurrency: 3 }, () => {
  for (const [name, { needs, ...options }] of Object.entries(examples)) {
    test(name, { skip: missing(...needs) }, (context) => tryExample(context, name, options))
  }
})

test('each example is tried', () => {
  const folders = readdirSync(join(root, 'examples'), { withFileTypes: true }).filter((it) =>
    it.isDirectory(),
  )
  assert.deepEqual(folders.map(({ name }) => name).sort(), Object.keys(examples).sort())
})
