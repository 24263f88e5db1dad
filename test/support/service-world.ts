import { execFile } from 'node:child_process'
import { accessSync, existsSync, readFileSync } from 'node:fs'
import { appendFile, chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CommandResult } from '#src/cli/service-machine.js'
import { root as repository } from './daemon.js'

/** Why there cannot be such a world; false when there can. */
export const noServiceWorld: string | false = (() => {
  if (process.getuid?.() !== 0) return 'needs root to give files to groups'
  try {
    accessSync('/dev/shm')
    return false
  } catch {
    return 'needs /dev/shm, a folder for temporary files that a unit can see'
  }
})()

/** What a machine's service manager does, with real processes: mosquitto's unit and ours. The rest agrees to everything. */
const systemctl = `#!/bin/bash
state=@ROOT@/state; echo "$*" >> "$state/calls"
unit=\${!#}; unit=\${unit%.service}
alive() { [ -s "$state/$1.pid" ] && kill -0 "$(cat "$state/$1.pid")" 2>/dev/null; }
begin() {
  alive "$1" && return 0
  [ -e "$state/$1.broken" ] && { echo broken > "$state/$1.log"; return 1; }
  if [ "$1" = mosquitto ]; then
    cd @ROOT@/etc/mosquitto || return 1
    setsid mosquitto -c mosquitto.conf > "$state/$1.log" 2>&1 < /dev/null & echo $! > "$state/$1.pid"
    sign=' running$'
  else
    cd @ROOT@/etc/damselfly || return 1
    CONFIG_DIR=@ROOT@/etc/damselfly STATE_DIRECTORY=@ROOT@/var/lib/damselfly RUNTIME_DIRECTORY=@ROOT@/run/damselfly GPIO_CHIP=simulated \\
      setsid @NODE@ @PACKAGE@/dist/main.js start > "$state/$1.log" 2>&1 < /dev/null & echo $! > "$state/$1.pid"
    sign='"msg":"ready"'
  fi
  for _ in $(seq 200); do
    grep -q "$sign" "$state/$1.log" && return 0
    alive "$1" || return 1
    sleep 0.05
  done
  return 1
}
end() {
  alive "$1" || return 0
  kill "$(cat "$state/$1.pid")"
  for _ in $(seq 200); do alive "$1" || break; sleep 0.05; done
  rm -f "$state/$1.pid"
}
grep -qsx "$1 $unit" "$state/refused" && exit 1
case "$1" in
  is-active) alive "$unit" ;;
  start | restart) begin "$unit" ;;
  stop) end "$unit" ;;
  is-enabled) [ "$(cat "$state/$unit.enablement" 2> /dev/null)" = enable ] ;;
  enable | disable) echo "$1" > "$state/$unit.enablement" ;;
  *) exit 0 ;;
esac
`

const programs: Readonly<Record<string, string>> = {
  systemctl,
  journalctl: '#!/bin/sh\ncat @ROOT@/state/damselfly.log\n',
  getent: '#!/bin/sh\necho damselfly:x:0:0::/:/\n',
  runuser: '#!/bin/bash\nshift 3; exec "$@"\n',
  chgrp: '#!/bin/sh\nexit 0\n',
}

/** A machine in a folder, with a service manager that runs mosquitto and Damselfly. It goes with the test. */
export class ServiceWorld {
  readonly root: string
  readonly packageDir: string
  readonly node: string
  readonly uid = 0
  readonly lines: string[] = []
  readonly print = (line: string): void => void this.lines.push(line)

  constructor(root: string) {
    this.root = root
    this.packageDir = join(root, 'usr/lib/node_modules/damselfly')
    this.node = join(root, 'usr/bin/node')
  }

  /** What it has said so far. */
  get said(): string {
    return this.lines.join('\n')
  }

  /** The commands that the service manager has got. */
  get calls(): string {
    const file = join(this.root, 'state/calls')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /** Lets a command of the service manager fail from now on. */
  async refuse(verb: string, unit: string): Promise<void> {
    await appendFile(join(this.root, 'state/refused'), `${verb} ${unit}\n`)
  }

  readonly run = (program: string, args: readonly string[]): Promise<CommandResult> =>
    new Promise((resolve) => {
      const own = join(this.root, 'bin', program)
      execFile(existsSync(own) ? own : program, args, (error, stdout) =>
        resolve({ code: error === null ? 0 : Number(error.code) || 1, stdout }),
      )
    })

  systemctl(...args: readonly string[]): Promise<CommandResult> {
    return this.run('systemctl', args)
  }

  /** Whether a unit runs, and starts with the machine. */
  async unit(name: string): Promise<{ readonly runs: boolean; readonly enablement: string | undefined }> {
    const file = join(this.root, `state/${name}.enablement`)
    const enablement = existsSync(file) ? (await readFile(file, 'utf8')).trim() : undefined
    return { runs: (await this.systemctl('is-active', '--quiet', `${name}.service`)).code === 0, enablement }
  }

  /** From now on a unit does not start. */
  async break(name: string): Promise<void> {
    await writeFile(join(this.root, `state/${name}.broken`), '')
  }

  text(path: string): Promise<string> {
    return readFile(join(this.root, path), 'utf8')
  }

  async write(path: string, text: string, mode = 0o644): Promise<string> {
    const file = join(this.root, path)
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, text, { mode })
    return file
  }
}

/** @param mosquittoConf the configuration of its mosquitto, which is enabled and runs; relative paths begin beside it */
export async function startServiceWorld(
  context: TestContext,
  mosquittoConf: string,
  files: Readonly<Record<string, string>> = {},
): Promise<ServiceWorld> {
  const root = await mkdtemp('/dev/shm/damselfly-move-')
  const world = new ServiceWorld(root)
  context.after(async () => {
    for (const name of ['damselfly', 'mosquitto']) await world.systemctl('stop', name)
    await rm(root, { recursive: true, force: true })
  })
  await chmod(root, 0o755)
  for (const folder of [
    'state',
    'run/systemd/system',
    'run/damselfly',
    'etc/systemd/system',
    'var/lib/damselfly',
  ])
    await mkdir(join(root, folder), { recursive: true })
  await world.write('usr/bin/node', '', 0o755)
  for (const path of ['config', 'systemd', '.env.example'])
    await cp(join(repository, path), join(world.packageDir, path), { recursive: true })
  for (const folder of ['dist', 'node_modules'])
    await symlink(join(repository, folder), join(world.packageDir, folder))
  for (const [name, text] of Object.entries(programs)) {
    const script = text
      .replaceAll('@ROOT@', root)
      .replaceAll('@NODE@', process.execPath)
      .replaceAll('@PACKAGE@', repository)
    await world.write(`bin/${name}`, script, 0o755)
  }
  for (const [name, text] of Object.entries(files)) await world.write(`etc/mosquitto/${name}`, text)
  await world.write('etc/mosquitto/mosquitto.conf', mosquittoConf)
  await world.systemctl('enable', 'mosquitto')
  const { code } = await world.systemctl('start', 'mosquitto')
  if (code !== 0) throw new Error(`mosquitto did not start: ${await world.text('state/mosquitto.log')}`)
  return world
}
