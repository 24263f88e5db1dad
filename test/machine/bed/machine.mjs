// The test machine as a program on the host: a User Mode Linux kernel, in a process namespace of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of a machine that ended without its job's own. */
const exitCodes = { timeLimit: 124, noReport: 125 }

/**
 * Boots the machine and runs the job's script in it, as root, under systemd; the machine powers off when that ends.
 * @param image   folder that has `linux` and `root.ext4`; neither is written to
 * @param job     tar file in the folder for temporary files, which lies unpacked at /job inside; without one the root file system must have what it needs
 * @param script  what to run, below /job, with its arguments
 * @param root    file that keeps what this boot changes of the root file system, for the next; else that is forgotten
 * @param disks   files that are /dev/ubdb, /dev/ubdc, …
 * @param network eth0 is the other end of this network namespace's tap0
 * @param print   gets what the script prints
 * @param append  more of the kernel's command line
 * @param logs    folder for journal, dmesg and the console's text
 */
export function boot({
  image,
  job,
  script = 'job/run.sh',
  root,
  disks = [],
  network = false,
  memoryMb = 768,
  seconds = 180,
  print = (text) => process.stdout.write(text),
  append = [],
  logs,
}) {
  const folder = mkdtempSync(join(tmpdir(), 'damselfly-machine-'))
  const host = join(folder, 'host')
  mkdirSync(host)
  if (job !== undefined) linkSync(job, join(host, 'job.tar'))
  writeFileSync(join(host, 'script'), `${script}\n`)
  for (const name of ['out', 'wire']) writeFileSync(join(host, name), '')

  const console_ = openSync(join(folder, 'console'), 'w')
  const wire = openSync(join(host, 'wire'), 'a')
  const kernel = [
    join(image, 'linux'),
    `mem=${memoryMb}M`,
    `ubd0=${root ?? join(folder, 'root.cow')},${join(image, 'root.ext4')}`,
    ...disks.map((file, index) => `ubd${index + 1}=${file}`),
    ...['root=/dev/ubda', 'rw', 'rootfstype=ext4', `hostfs=${host}`, `uml_dir=${folder}`, 'umid=m'],
    ...[
      'con=null',
      'con0=null,fd:1',
      'ssl=null',
      'ssl0=null,fd:3',
      'quiet',
      'systemd.show_status=no',
      'panic=-1',
    ],
    ...(network ? ['eth0=tuntap,tap0'] : []),
    ...append,
  ]
  // whatever way this process ends, the machine ends with it
  const program = [
    '--pdeathsig',
    'KILL',
    'unshare',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    '--mount-proc',
    ...kernel,
  ]
  const child = spawn('setpriv', program, {
    // the last is closed by the end of all its processes: until then one may still write to a disk
    stdio: ['ignore', console_, console_, wire, 'pipe'],
    // the machine's memory is a file there
    env: { ...process.env, TMPDIR: '/dev/shm' },
  })
  closeSync(console_)
  closeSync(wire)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, seconds * 1_000)
  let hasEnded = false
  child.stdio[4].resume()
  const exited = once(child, 'close').then(() => {
    hasEnded = true
    clearTimeout(timer)
  })
  const printed = follow(join(host, 'out'), print, () => hasEnded)

  return {
    /** The folder that is /run/host inside. */
    host,
    /** What was written to /dev/ttyS0 inside; it is here as soon as it is written. */
    wire: () => readFileSync(join(host, 'wire'), 'utf8'),
    /** Takes its power away: the kernel's process is killed, and with it what it had not written to its disks. */
    cut: async () => {
      child.kill('SIGKILL')
      await exited
    },
    /** Waits for its end. @returns the script's exit code */
    ended: async () => {
      await exited
      await printed
      if (logs !== undefined) keepLogs(folder, logs)
      const report = join(host, 'rc')
      const code = existsSync(report) ? Number(readFileSync(report, 'utf8')) : Number.NaN
      if (!Number.isInteger(code)) {
        const text = readFileSync(join(folder, 'console'), 'utf8')
        process.stderr.write(`the machine ended without a report; its console:\n${text.slice(-4_000)}\n`)
      }
      if (Number.isInteger(code)) return code
      return isLate ? exitCodes.timeLimit : exitCodes.noReport
    },
    /** Deletes what it left on the host, but for `root` and `disks`. */
    clear: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Prints what a file grows by, until it will grow no more. */
async function follow(file, print, hasEnded) {
  const fd = openSync(file, 'r')
  const chunk = Buffer.alloc(65_536)
  for (;;) {
    const isLast = hasEnded()
    for (;;) {
      const length = readSync(fd, chunk)
      if (length === 0) break
      print(chunk.toString('utf8', 0, length))
    }
    if (isLast) break
    await sleep(100)
  }
  closeSync(fd)
}

function keepLogs(folder, logs) {
  mkdirSync(logs, { recursive: true })
  for (const name of ['host/journal', 'host/dmesg', 'host/wire', 'console']) {
    const file = join(folder, name)
    if (existsSync(file)) copyFileSync(file, join(logs, name.replace('host/', '')))
  }
}
