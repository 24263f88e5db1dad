import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { PwmPin } from '#src/core/pin.js'
import { temporaryFolder } from './gpio-kit.js'

const place = { file: 'damselfly.yaml', line: 3, column: 5 }

/** A PWM pin of 25 kHz, in percent. */
export function pwm(name: string, line: number | string, more: Partial<PwmPin> = {}): PwmPin {
  const rest = { isActiveLow: false, periodNs: 40_000, scale: { kind: 'duty' }, min: 0, max: 100 } as const
  return { name, direction: 'pwm', line, ...rest, initial: 'off', onStop: 'off', place, ...more }
}

/** A servo of 180 degrees, 0.5 to 2.5 ms. */
export function servo(name: string, line: number | string, more: Partial<PwmPin> = {}): PwmPin {
  const scale = { kind: 'angle', minPulseNs: 500_000, maxPulseNs: 2_500_000, rangeDegrees: 180 } as const
  return pwm(name, line, { periodNs: 20_000_000, scale, max: 180, ...more })
}

export interface FakeChip {
  readonly device: string
  readonly channels: number
  /** Channels that are exported already. */
  readonly exported?: readonly number[]
}

/**
 * A folder like `/sys/class/pwm` with a kernel behind it that makes a channel when it is exported, and keeps a log of
 * what is written: `pwmchip0/pwm2/period 40000`. Of two channels exported at once it sees only the second: it is files.
 */
export class FakePwm {
  readonly dir: string
  readonly log: string[] = []
  readonly #watchers: FSWatcher[] = []

  constructor(dir: string) {
    this.dir = dir
  }

  path(channel: string, attribute: string): string {
    return join(this.dir, channel, attribute)
  }

  /** What stands in a channel's file. */
  read(channel: string, attribute: string): string {
    return readFileSync(this.path(channel, attribute), 'utf8').trim()
  }

  async addChip(number: number, { device, channels, exported = [] }: FakeChip): Promise<void> {
    const chip = `pwmchip${number}`
    const path = join(this.dir, chip)
    await mkdir(join(this.dir, '..', 'devices', device), { recursive: true })
    await mkdir(path)
    await symlink(join('..', '..', 'devices', device), join(path, 'device'))
    await writeFile(join(path, 'npwm'), `${channels}\n`)
    for (const file of ['export', 'unexport']) await writeFile(join(path, file), '')
    for (const channel of exported) await this.addChannel(chip, channel)
    this.#watch(path, path, (name, text) => {
      if (name !== 'export') return
      this.log.push(`${chip}/export ${text}`)
      void this.addChannel(chip, Number(text))
    })
  }

  async addChannel(
    chip: string,
    number: number,
    values: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const channel = `${chip}/pwm${number}`
    const path = join(this.dir, channel)
    const draft = join(this.dir, '..', channel.replace('/', '-'))
    const fresh = { period: '0', duty_cycle: '0', polarity: 'normal', enable: '0' }
    await mkdir(draft)
    for (const [name, value] of Object.entries({ ...fresh, ...values }))
      await writeFile(join(draft, name), `${value}\n`)
    // watched before it is there, so that no write is missed; the watch goes with the folder
    this.#watch(draft, path, (name, text) => this.log.push(`${channel}/${name} ${text}`))
    await rename(draft, path)
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }

  /** A write is two events, one for the file made empty; what is made empty is looked at no further. */
  #watch(watched: string, path: string, onWrite: (name: string, text: string) => void): void {
    let last = ''
    const watcher = watch(watched, (event, name) => {
      if (event !== 'change' || name === null) return
      const text = readFileSync(join(path, name), 'utf8')
      const write = `${name} ${text}`
      // what the daemon writes has no newline at its end
      if (text === '' || text.endsWith('\n') || write === last) return
      last = write
      onWrite(name, text)
    })
    this.#watchers.push(watcher)
  }
}

/** A fake of a Pi 5: the chip of the fan first, then that of the header. It goes with the test. */
export async function fakePi5(t: TestContext, header: Partial<FakeChip> = {}): Promise<FakePwm> {
  const root = await temporaryFolder(t)
  const dir = join(root, 'class', 'pwm')
  await mkdir(dir, { recursive: true })
  const fake = new FakePwm(dir)
  t.after(() => fake.close())
  await fake.addChip(0, { device: '1f0009c000.pwm', channels: 4 })
  await fake.addChip(2, { device: '1f00098000.pwm', channels: 4, ...header })
  return fake
}
