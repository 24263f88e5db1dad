// What promises are proved with: commands, the unit's properties, the journal.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export { sleep }

let failures = 0

/** One line a promise: whether it holds, and what was measured. */
export function promise(text, holds, measured = '') {
  if (!holds) failures++
  const shown = String(measured).trim().replaceAll('\n', ' | ')
  console.log(`${holds ? '✔' : '✖'} ${text}${shown === '' ? '' : `: ${shown}`}`)
}

export const failureCount = () => failures

/** @param earlier promises that did not hold before a reboot */
export function end(earlier = 0) {
  const all = failures + earlier
  console.log(all === 0 ? 'every promise holds' : `${all} promises do not hold`)
  process.exit(all === 0 ? 0 : 1)
}

/** Runs a program. @returns its exit code, and its two outputs as one text */
export function sh(program, ...args) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: '/', timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), stdout, text: `${stdout}${stderr}`.trim() })
    })
  })
}

export const systemctl = (...args) => sh('systemctl', ...args)
export const damselfly = (...args) => sh('damselfly', ...args)

export async function property(name) {
  return (await systemctl('show', 'damselfly', `--property=${name}`, '--value')).text
}

/** What `systemd-analyze security` finds of a unit: whether it is exposed to so many tenths at most, and its verdict. */
export async function exposure(tenthsMax, unit = 'damselfly') {
  const options = [`--threshold=${tenthsMax}`, '--no-pager']
  const { code, stdout } = await sh('systemd-analyze', 'security', ...options, `${unit}.service`)
  return { isAtMost: code === 0, verdict: stdout.trim().split('\n').at(-1) }
}

/** Asks until it is so. @returns what was found last */
export async function until(isSo, find, seconds = 10) {
  const stop = Date.now() + seconds * 1_000
  for (;;) {
    const found = await find()
    if (isSo(found) || Date.now() > stop) return found
    await sleep(50)
  }
}

/** The first line of the journal since a time (ms) that has this text, waited for; '' when it does not come. */
export function journal(text, since, seconds = 10) {
  const find = async () => {
    const { stdout } = await sh(
      'journalctl',
      '-u',
      'damselfly',
      '-o',
      'cat',
      '--no-pager',
      `--since=@${since / 1_000}`,
    )
    return stdout.split('\n').find((line) => line.includes(text)) ?? ''
  }
  return until((line) => line !== '', find, seconds)
}

/** A drop-in of a unit; systemd is told. */
export async function dropIn(name, text, unit = 'damselfly') {
  const folder = `/etc/systemd/system/${unit}.service.d`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/${name}.conf`, `[Service]\n${text}\n`)
  await systemctl('daemon-reload')
}
