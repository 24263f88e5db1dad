import { join } from 'node:path'
import type { House } from '../config/house.ts'
import { ProblemList } from '../config/problem-list.ts'
import { readText, shownPath } from '../config/read-file.ts'
import { readSafeScalars } from '../config/read-safe-scalars.ts'
import { readUsersFile, userLines, userNameProblem, usersPath } from '../config/users-file.ts'
import type { User } from '../core/access.ts'
import { DamselflyError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { nearest } from '../core/nearest.ts'
import { hashPassword, passwordHashText } from '../core/password-hash.ts'
import { ProblemsError } from '../core/problems.ts'
import { askPassword, checkedPassword } from './ask-password.ts'
import { changeFile } from './change-file.ts'
import { chosenHouse } from './chosen-house.ts'
import { reportWarnings } from './report.ts'
import { withoutUser, withUser } from './users-text.ts'

/** The file of users of a house, and what goes with it. */
interface UsersHouse {
  readonly path: string
  readonly shown: string
  /** Whose owner and group a new file has: the daemon reads that one as well. */
  readonly model: string
  readonly isElsewhere: boolean
  readonly ownerName: string | undefined
  /** Also of lines with a mistake. */
  readonly names: readonly string[]
}

interface PasswordOptions {
  readonly batch?: boolean
}

/** @throws DamselflyError `USAGE`, `CONFIG_INVALID` */
export async function addUser(
  name: string,
  given: string | undefined,
  options: PasswordOptions,
): Promise<void> {
  const house = await usersHouse()
  checkName(name)
  checkOwner(house, name)
  if (house.names.includes(name))
    throw new DamselflyError(
      'USAGE',
      `${name} is there already; a new password: damselfly user passwd ${name}`,
    )
  await writePassword(house, name, await passwordFor(name, given, options))
  if (/[+#/]/.test(name))
    console.error(
      `damselfly: %u of an access control list does not stand for ${name}: there is a +, a # or a / in it`,
    )
  await told(house, `added ${name}`)
}

/** @throws DamselflyError `USAGE`, `CONFIG_INVALID` */
export async function changePassword(
  name: string,
  given: string | undefined,
  options: PasswordOptions,
): Promise<void> {
  const house = await usersHouse()
  checkThere(house, name)
  await writePassword(house, name, await passwordFor(name, given, options))
  await told(house, `${name} has a new password; who is connected with the old one is disconnected`)
}

/** @throws DamselflyError `USAGE`, `CONFIG_INVALID` */
export async function removeUser(name: string): Promise<void> {
  const house = await usersHouse()
  checkThere(house, name)
  await changeFile(house.path, (before = '') => withoutUser(before, name))
  await told(house, `removed ${name}; its clients are disconnected`)
}

/** Prints the names, and how each password is kept. @throws DamselflyError `CONFIG_INVALID` */
export async function listUsers(options: { readonly json?: boolean }): Promise<void> {
  const { path, shown, ownerName } = await usersHouse()
  const problems = new ProblemList()
  const warnings = new ProblemList()
  const users = (await readUsersFile(path, shown, problems, warnings)) ?? []
  problems.throwIfAny(warnings)
  reportWarnings(warnings.sorted())
  if (options.json === true) {
    const rows = users.map(({ name, password }) => ({ name, password: password.kind }))
    return console.log(JSON.stringify(rows))
  }
  const rows = users.map(({ name, password }) => [name, describe(password)] as const)
  if (ownerName !== undefined) rows.push([ownerName, 'MQTT_USERNAME of .env'])
  if (rows.length === 0)
    console.error(`damselfly: no users in ${shown} yet; damselfly user add NAME makes one`)
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, how] of rows) console.log(`${name.padEnd(width)}  ${how}`)
}

function describe(password: User['password']): string {
  if (password.kind === 'pbkdf2-sha512')
    return `PBKDF2-SHA512, ${password.iterations.toLocaleString('en')} iterations`
  return password.kind === 'argon2id'
    ? 'argon2id'
    : 'SHA-512 once: weak; damselfly user passwd keeps it better'
}

async function usersHouse(): Promise<UsersHouse> {
  const house = await chosenHouse()
  const { scalars } = await readSafeScalars({ ...house, isTerminal: false })
  const path = usersPath(scalars.configDir)
  const shown = shownPath(process.cwd(), path)
  const reading = await readText(path, shown, limits.usersBytesMax)
  if (reading.kind === 'problem') throw new ProblemsError([reading.problem])
  return {
    path,
    shown,
    model: modelOf(house, scalars.configDir),
    isElsewhere: scalars.remote !== undefined,
    ownerName: scalars.credentials?.username,
    names: reading.kind === 'text' ? userLines(reading.source.text).map(({ name }) => name) : [],
  }
}

function modelOf({ isService, cwd }: House, configDir: string): string {
  return isService ? join(cwd, '.env') : configDir
}

async function writePassword({ path, model }: UsersHouse, name: string, password: string): Promise<void> {
  const hash = passwordHashText(await hashPassword(password))
  await changeFile(path, (before = '') => withUser(before, name, hash), model)
}

/** Says what was done, and what becomes of it. @throws ProblemsError when the daemon cannot take the file over */
async function told({ path, shown, isElsewhere }: UsersHouse, what: string): Promise<void> {
  console.log(`${shown}: ${what}`)
  const problems = new ProblemList()
  await readUsersFile(path, shown, problems, new ProblemList())
  if (problems.count > 0)
    console.error('a running Damselfly keeps the users it has until the file is right:\n')
  problems.throwIfAny(new ProblemList())
  if (isElsewhere)
    console.error('damselfly: BROKER_URL is set: the broker elsewhere knows nothing of these users')
  else console.log('a running Damselfly sees it by itself')
}

/** The password on the command line, or the one that is asked for. @throws DamselflyError `USAGE` */
export async function passwordFor(
  name: string,
  given: string | undefined,
  { batch = false }: PasswordOptions,
): Promise<string> {
  if (batch && given !== undefined) return checkedPassword(given)
  if (batch) throw new DamselflyError('USAGE', '-b wants the password after the name')
  if (given === undefined) return await askPassword(name)
  throw new DamselflyError(
    'USAGE',
    'everybody on this machine can see a password on a command line; say -b if that does not matter',
  )
}

/** @throws DamselflyError `USAGE` for a name that cannot stand in the file */
export function checkName(name: string): void {
  const problem = userNameProblem(name)
  if (problem === undefined) return
  throw new DamselflyError('USAGE', `"${name}": ${problem.message}; expected: ${problem.expected}`)
}

function checkOwner({ ownerName }: UsersHouse, name: string): void {
  if (name !== ownerName) return
  throw new DamselflyError('USAGE', `${name} is MQTT_USERNAME in .env; its password stands there`)
}

function checkThere(house: UsersHouse, name: string): void {
  const { names } = house
  if (names.includes(name)) return
  checkOwner(house, name)
  const near = nearest(name, names)
  const meant = near === undefined ? '' : `; did you mean ${near}?`
  throw new DamselflyError('USAGE', `no user ${name} in ${house.path}${meant}`)
}
