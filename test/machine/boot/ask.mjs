// Asks the host beside this machine (host.mjs) to do something.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { until } from '../service.mjs'

let count = 0

export async function ask(name, ...args) {
  const number = ++count
  appendFileSync('/dev/ttyS0', `${JSON.stringify([number, name, ...args])}\n`)
  const file = `/run/host/answer-${number}`
  const text = await until(
    (found) => found !== '',
    () => (existsSync(file) ? readFileSync(file, 'utf8') : ''),
    30,
  )
  if (text === '') throw new Error(`the host has not answered ${name}`)
  return JSON.parse(text)
}
