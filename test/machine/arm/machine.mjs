// A whole arm64 machine: QEMU's board `virt` with Debian's own kernel, systemd, and the board's GPIO chip.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const here = import.meta.dirname
const timeLimit = 1_800 // seconds; a busy host needs most of that

/**
 * Boots it, installs the packages in it, prints what the job says.
 * @param folder gives the folder of what was built for an architecture
 * @returns the job's exit code
 */
export async function playMachine({ stage, folder, packages, logs }) {
  console.log('\na whole arm64 machine')
  const job = layOut(stage, packages)
  const control = join(stage, 'qmp')
  const disk = (file, index, more = '') => [
    '-drive',
    `file=${file},if=none,id=disk${index},format=raw${more}`,
    '-device',
    `virtio-blk-pci,drive=disk${index}`,
  ]
  const machine = [
    ...['-M', 'virt', '-cpu', 'cortex-a72', '-smp', '2', '-m', '1024'],
    ...['-display', 'none', '-nic', 'none', '-serial', 'stdio', '-qmp', `unix:${control},server=on,wait=off`],
    ...['-kernel', join(folder('arm64'), 'kernel'), '-initrd', join(folder('arm64'), 'initrd')],
    ...['-append', 'console=ttyAMA0 quiet rw systemd.show_status=no panic=-1'],
    ...['-no-reboot'],
    ...disk(join(folder('arm64'), 'root.ext4'), 0, ',snapshot=on'),
    ...disk(job, 1, ',readonly=on'),
    ...disk(join(folder('armhf'), 'root.ext4'), 2, ',snapshot=on'),
  ]
  const child = spawn('qemu-system-aarch64', machine, { stdio: ['ignore', 'pipe', 'inherit'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeLimit * 1_000)
  const said = []
  let code = 1
  createInterface(child.stdout).on('line', (line) => {
    said.push(line)
    if (line.startsWith('press the button')) press(control)
    else if (/[✔✖] .*$|^(every promise|\d+ promises).*/.test(line))
      console.log(/[✔✖] .*|.*promise.*/.exec(line)[0])
    code = Number(/^job ended with (\d+)/.exec(line)?.[1] ?? code)
  })
  await once(child, 'close')
  clearTimeout(timer)
  if (logs !== undefined) {
    mkdirSync(logs, { recursive: true })
    writeFileSync(join(logs, 'arm64-console'), said.join('\n'))
  }
  if (code !== 0) console.error(`its console:\n${said.slice(-40).join('\n')}`)
  return code
}

/** @returns the tar file that the machine has as its second disk */
function layOut(stage, packages) {
  const inside = join(stage, 'inside-arm64')
  cpSync(join(here, 'inside'), join(inside, 'arm/inside'), { recursive: true })
  cpSync(join(here, '../proof.mjs'), join(inside, 'proof.mjs'))
  cpSync(join(packages, 'arm64.deb'), join(inside, 'damselfly.deb'))
  cpSync(join(packages, 'armhf.deb'), join(inside, 'damselfly-armhf.deb'))
  execFileSync('tar', ['--owner=0', '--group=0', '-C', inside, '-cf', `${inside}.tar`, '.'])
  return `${inside}.tar`
}

/** The board's power button is wired to line 3 of its GPIO chip: high, for a tenth of a second. */
function press(control) {
  const socket = createConnection(control)
  socket.on('error', (error) => console.error(`qmp: ${error.message}`))
  for (const execute of ['qmp_capabilities', 'system_powerdown'])
    socket.write(`${JSON.stringify({ execute })}\n`)
  setTimeout(() => socket.end(), 1_000)
}
