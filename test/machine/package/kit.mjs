// What the parts share: the packages, and looks at the machine.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { property, sh, systemctl, until } from '../proof.mjs'

const files = readdirSync('/job/deb').map((name) => `/job/deb/${name}`)
/** The package as it is built, and the same tree with a higher version. */
export const packages = {
  first: files.find((file) => !file.includes('+again_')),
  second: files.find((file) => file.includes('+again_')),
}

/** dpkg with nobody to ask: it would fail where it wants to. @returns its exit code, and all that it said */
export function dpkg(...args) {
  const { status, stdout, stderr } = spawnSync('dpkg', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 180_000,
  })
  return { code: status ?? -1, text: `${stdout}${stderr}`.trim() }
}

/** `active running enabled`, and the like. */
export async function state() {
  const enabled = (await systemctl('is-enabled', 'damselfly')).stdout.trim()
  return `${await property('ActiveState')} ${await property('SubState')} ${enabled}`
}

/** What the kernel drives a line of the chip to. */
export function level(gpio) {
  return readFileSync(`${process.env.PI}/sim_gpio${gpio}/value`, 'utf8').trim()
}

/** The first message of a topic, while another is published by mosquitto's tools. */
export async function answer(topic, send, text) {
  const heard = sh('mosquitto_sub', '-t', topic, '-C', '1', '-W', '20')
  await until(
    (clients) => clients.includes(topic),
    async () => (await sh('damselfly', 'clients', '--json')).text,
    10,
  )
  await sh('mosquitto_pub', '-t', send, '-m', text)
  return (await heard).stdout.trim()
}

export async function retained(topic) {
  return (await sh('mosquitto_sub', '-t', topic, '-C', '1', '-W', '10')).stdout.trim()
}

/** Mode, owner and kind of files. */
export async function facts(...paths) {
  return (await sh('stat', '-c', '%n %a %U:%G %F', ...paths)).text
}

/** All that has our name, but for what the job brought. */
export async function traces() {
  const { stdout } = await sh(
    'find',
    '/',
    '(',
    '-path',
    '/proc',
    '-o',
    '-path',
    '/sys',
    '-o',
    '-path',
    '/job',
    '-o',
    '-path',
    '/run/host',
    ')',
    '-prune',
    '-o',
    '-iname',
    '*damselfly*',
    '-print',
  )
  return stdout.trim()
}

export const etc = '/etc/damselfly'
