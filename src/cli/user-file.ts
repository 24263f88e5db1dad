import { userLines } from '../config/users-file.ts'
import { DamselflyError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { hashPassword, parsePasswordHash, passwordHashText } from '../core/password-hash.ts'
import { changeFile } from './change-file.ts'
import { checkName, passwordFor } from './user.ts'
import { withoutUser, withUser } from './users-text.ts'

/** What mosquitto_passwd(1) is told by its letters. */
export interface UserFileOptions {
  readonly hash: string
  readonly create?: boolean
  readonly delete?: boolean
  readonly batch?: boolean
  readonly update?: boolean
}

const written = 'sha512-pbkdf2'

const commands = ['add', 'passwd', 'rm', 'list']

/**
 * Does to any file of users what mosquitto_passwd would: sets a password, removes a user, or hashes the passwords that are not.
 * @throws DamselflyError `USAGE`, `CONFIG_INVALID`
 */
export async function userFile(
  file: string | undefined,
  name: string | undefined,
  password: string | undefined,
  options: UserFileOptions,
): Promise<void> {
  if (file === undefined) throw usage('a command is missing')
  tellHash(options.hash)
  if (options.update === true) return await hashAll(file)
  if (name === undefined) throw usage(`"${file}" is no command, and a user’s name is missing`, file)
  if (options.create === true && options.delete === true) throw usage('-c and -D do not go together')
  if (options.delete === true) {
    await changeFile(file, (before) => withoutUser(thereWith(name, file, before), name))
    return console.log(`${file}: removed ${name}`)
  }
  checkName(name)
  const given = await passwordFor(name, password, options)
  const hash = passwordHashText(await hashPassword(given))
  const isNew = options.create === true
  await changeFile(file, (before) => withUser(isNew ? '' : there(file, before), name, hash))
  console.log(`${file}: ${name} has this password now`)
}

/** One form is enough: every mosquitto from 2.0 on reads it, and the others are weaker or need a library. */
function tellHash(hash: string): void {
  if (hash === written) return
  if (!['sha512', 'argon2id'].includes(hash))
    throw new DamselflyError('USAGE', `-H is ${written}, sha512 or argon2id, not "${hash}"`)
  console.error(`damselfly: -H ${hash}: the password is kept as ${written} all the same`)
}

/** Hashes each password that is not hashed yet; mosquitto_passwd would hash the others again. */
async function hashAll(file: string): Promise<void> {
  const read = (text: string) =>
    userLines(text).filter(
      ({ password }) => password !== '' && parsePasswordHash(password).kind === 'mistake',
    )
  // hashing takes time, and a file is changed in one go
  let plain: ReturnType<typeof read> = []
  await changeFile(file, (before) => {
    const text = there(file, before)
    plain = read(text).filter(({ password }) => !password.startsWith('$'))
    return text
  })
  const hashes = new Map<string, string>()
  for (const { name, password } of plain)
    hashes.set(`${name}:${password}`, passwordHashText(await hashPassword(password)))
  await changeFile(file, (before) => {
    let text = there(file, before)
    for (const { name, password } of read(text)) {
      const hash = hashes.get(`${name}:${password}`)
      if (hash !== undefined) text = withUser(text, name, hash)
    }
    return text
  })
  console.log(`${file}: ${plain.length} ${plain.length === 1 ? 'password' : 'passwords'} hashed`)
}

function there(file: string, before: string | undefined): string {
  if (before !== undefined) return before
  throw new DamselflyError('USAGE', `there is no file ${file}; -c makes it`)
}

function thereWith(name: string, file: string, before: string | undefined): string {
  const text = there(file, before)
  const names = userLines(text).map((line) => line.name)
  if (names.includes(name)) return text
  const near = nearest(name, names)
  throw new DamselflyError(
    'USAGE',
    `no user ${name} in ${file}${near === undefined ? '' : `; did you mean ${near}?`}`,
  )
}

function usage(what: string, word = ''): DamselflyError {
  const near = nearest(word, commands)
  const meant = near === undefined ? '' : ` Did you mean ${near}?`
  return new DamselflyError('USAGE', `${what}.${meant} damselfly user --help shows what there is`)
}
