// On what it was measured.
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'

/** @throws an Error that says what to install */
export async function describeMachine() {
  const board = await readFile('/proc/device-tree/model', 'utf8').catch(() => '')
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: [board.replaceAll('\0', ''), cpus()[0].model].filter((text) => text !== '').join(', '),
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 1e6),
    kernel: release(),
    node: process.version,
    mosquitto: version(['mosquitto', '-h'], /version (\S+)/),
    paho: version(['/usr/bin/python3', '-c', 'import paho.mqtt as p; print(p.__version__)'], /(\S+)/),
    python: version(['/usr/bin/python3', '--version'], /Python (\S+)/),
  }
}

/** One sentence. */
export function machineLine(machine) {
  return (
    `Measured on ${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryMb.toLocaleString('en')} MB, Linux ${machine.kernel}; ` +
    `Node ${machine.node.slice(1)}, mosquitto ${machine.mosquitto}, paho ${machine.paho} on Python ${machine.python}.`
  )
}

function version([command, ...argv], pattern) {
  let output
  try {
    output = execFileSync(command, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    output = error.stdout ?? '' // mosquitto -h ends with 3
  }
  const found = pattern.exec(output)
  if (found === null)
    throw new Error(`${command} does not answer; sudo apt install mosquitto python3-paho-mqtt`)
  return found[1]
}
