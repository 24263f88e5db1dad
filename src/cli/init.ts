import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { readSafeScalars } from '../config/read-safe-scalars.ts'
import type { Scalars } from '../config/scalars.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { RemoteBroker } from '../core/remote-broker.ts'
import { suggestedCredentials } from '../core/suggested-credentials.ts'
import { Lan } from '../system/lan.ts'
import { type AccessChoice, envText, type LampChoice, yamlText } from './init-files.ts'
import { accessOf, lampOf, Questions } from './init-questions.ts'

export interface InitOptions {
  readonly access?: string
  readonly lamp?: string
  readonly folder: string
  readonly yes?: boolean
}

/**
 * Writes a first `.env`, `damselfly.yaml` and its schema into a folder, and says what to do next. A file that is
 * there stays as it is, and is not asked about.
 * @throws DamselflyError `USAGE`, `CONFIG_INVALID` for a file that cannot be written
 */
export async function init(options: InitOptions): Promise<void> {
  const folder = resolve(options.folder)
  const access = options.access === undefined ? undefined : accessOf(options.access)
  const lamp = options.lamp === undefined ? undefined : lampOf(options.lamp)
  const envFile = join(folder, '.env')
  const { configDir } = await scalarsOf(folder) // a .env that is there may name another folder
  const yamlFile = join(configDir, 'damselfly.yaml')
  const wanted = { env: !(await isThere(envFile)), yaml: !(await isThere(yamlFile)) }
  const choice = await choose({ access, lamp, isAsking: options.yes !== true, wanted })

  const [username, password] = suggestedCredentials()
  const written = [
    await writeNew(envFile, envText(choice.access, choice.lamp, [username, password]), 0o600),
    await writeNew(yamlFile, yamlText(choice.lamp), 0o644),
    await writeNew(join(configDir, 'damselfly.schema.json'), await schemaText(), 0o644),
  ]
  const files = ['.env', 'damselfly.yaml', 'damselfly.schema.json'].map((name, index) => {
    const path = relative(process.cwd(), index === 0 ? envFile : join(configDir, name))
    return `${written[index] ? 'wrote' : 'kept '} ${path}${written[index] ? '' : ', which was there'}`
  })
  const scalars = await scalarsOf(folder)
  const isNewPassword = written[0] === true && choice.access === 'lan'
  const more = await nextSteps({ folder, scalars, isOurYaml: written[1] === true, isNewPassword })
  console.log([...files, '', ...more].join('\n'))
}

interface Choice {
  readonly access: AccessChoice
  readonly lamp: LampChoice
}

/** Asks for what is wanted and not said yet. */
async function choose(request: {
  readonly access: AccessChoice | undefined
  readonly lamp: LampChoice | undefined
  readonly isAsking: boolean
  readonly wanted: { readonly env: boolean; readonly yaml: boolean }
}): Promise<Choice> {
  const { wanted } = request
  const usualLamp = (await isRaspberryPi()) ? 17 : 'simulated'
  const isOpen = {
    access: wanted.env && request.access === undefined,
    lamp: wanted.yaml && request.lamp === undefined,
  }
  if (!request.isAsking || (!isOpen.access && !isOpen.lamp))
    return { access: request.access ?? 'lan', lamp: request.lamp ?? usualLamp }
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true)
    throw new DamselflyError(
      'USAGE',
      'this is no terminal, and nobody can be asked: say --yes, or --access and --lamp',
    )
  using questions = new Questions()
  const access = isOpen.access ? await questions.access() : (request.access ?? 'lan')
  const lamp = isOpen.lamp ? await questions.lamp(usualLamp) : (request.lamp ?? usualLamp)
  console.log()
  return { access, lamp }
}

/** What to do now, with commands that can be copied. */
async function nextSteps(house: {
  readonly folder: string
  readonly scalars: Scalars
  readonly isOurYaml: boolean
  readonly isNewPassword: boolean
}): Promise<string[]> {
  const { folder, scalars, isOurYaml } = house
  const lines = ['Start it, and stop it with Ctrl-C:']
  if (folder !== process.cwd()) lines.push(`  cd ${quoted(relative(process.cwd(), folder))}`)
  lines.push('  damselfly start', '', 'In a second terminal, in the same folder, see what happens:')
  lines.push('  damselfly trace', "  damselfly sub -v -t '#'")
  if (isOurYaml) {
    lines.push('', 'and in a third one switch the lamp:')
    lines.push('  damselfly pub -t home/lamp -m on', `  damselfly pub -t home/lamp/set -m '{"msg":"ON"}'`)
  }
  const remote = await remoteCommand(house)
  if (remote !== undefined) lines.push('', 'From another machine:', `  ${remote}`)
  lines.push('', `Pins and rules stand in ${join(scalars.configDir, 'damselfly.yaml')}.`)
  lines.push('For good, as a service that starts with the machine: sudo damselfly service install')
  return lines
}

async function remoteCommand({
  scalars: { bind, credentials, allowAnonymous, port, remote },
  isOurYaml,
  isNewPassword,
}: Parameters<typeof nextSteps>[0]): Promise<string | undefined> {
  const message = ['-t', isOurYaml ? 'home/lamp' : 'test', '-m', isOurYaml ? 'on' : 'hello']
  if (remote !== undefined) {
    const words = publisherAt(remote)
    return words && [...words, ...message].join(' ')
  }
  const isOpen = credentials !== undefined || allowAnonymous === 'everyone'
  if (!isOpen || bind.every(({ kind }) => kind === 'loopback')) return undefined
  const words = ['mosquitto_pub', '-h', await lanAddress()]
  if (port !== 1_883) words.push('-p', String(port))
  if (credentials !== undefined) {
    const password = isNewPassword ? credentials.password.reveal() : 'PASSWORD'
    words.push('-u', quoted(credentials.username), '-P', quoted(password))
  }
  return [...words, ...message].join(' ')
}

/** How another machine reaches the broker elsewhere; undefined when it is on this machine, under whatever address. */
function publisherAt({ host, port, isSecure, credentials }: RemoteBroker): string[] | undefined {
  if (/^(localhost|127\..*|\[?::1\]?)$/i.test(host)) return undefined
  const words = ['mosquitto_pub', '-h', quoted(host)]
  if (isSecure || port !== 1_883) words.push('-p', String(port))
  if (isSecure) words.push('--tls-use-os-certs')
  if (credentials !== undefined) words.push('-u', quoted(credentials.username))
  if (credentials?.password !== undefined) words.push('-P', 'PASSWORD')
  return words
}

async function lanAddress(): Promise<string> {
  const nothing = (): void => {}
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  await using lan = new Lan({ log, firstAnswerMs: 0 })
  await lan.start()
  return lan.identity.ip || lan.identity.host
}

async function scalarsOf(folder: string): Promise<Scalars> {
  return (await readSafeScalars({ cwd: folder, isTerminal: false })).scalars
}

function schemaText(): Promise<string> {
  return readFile(new URL('../../config/damselfly.schema.json', import.meta.url), 'utf8')
}

/** Writes a file where there is none. @returns whether there was none */
async function writeNew(path: string, text: string, mode: number): Promise<boolean> {
  if (await isThere(path)) return false
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { mode, flag: 'wx' }) // whoever was quicker is not overwritten either
    return true
  } catch (cause) {
    throw new DamselflyError('CONFIG_INVALID', `${path} cannot be written: ${reasonOf(cause)}`, { cause })
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false // and if it only cannot be looked at, writing says so
  }
}

async function isRaspberryPi(): Promise<boolean> {
  try {
    return (await readFile('/proc/device-tree/model', 'utf8')).startsWith('Raspberry Pi')
  } catch {
    return false
  }
}

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
