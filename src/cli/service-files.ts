import { chmod, chown, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../core/errors.ts'
import type { Machine } from './service-machine.ts'

/** The service's user and its group. */
export const account = 'damselfly'
/** Where its settings are. */
export const configDir = '/etc/damselfly'

/** Makes the groups and the user that are not there yet. @throws DamselflyError `SERVICE_FAILED` */
export async function makeAccount(machine: Machine): Promise<void> {
  for (const group of ['gpio', account]) {
    if ((await machine.run('getent', ['group', group])).code === 0) continue
    await machine.must('groupadd', '--system', group)
    machine.print(`created the group ${group}`)
  }
  if ((await machine.run('getent', ['passwd', account])).code === 0) return
  await machine.must(
    'useradd',
    ...['--system', '--gid', account, '--no-create-home', '--home-dir', '/var/lib/damselfly'],
    ...['--shell', '/usr/sbin/nologin', account],
  )
  machine.print(`created the user ${account}`)
}

/**
 * Puts what is not there yet into /etc/damselfly: from a folder that has a house already, else what the Debian package
 * begins with as well.
 * @param workingDir the folder that may have `.env` and `config/`
 * @throws DamselflyError `SERVICE_FAILED`
 */
export async function makeConfiguration(
  machine: Machine,
  packageDir: string,
  workingDir: string | undefined,
): Promise<void> {
  const beginning = join(packageDir, 'systemd/etc')
  const ownEnv = workingDir && join(workingDir, '.env')
  const ownConfig = workingDir && join(workingDir, 'config')
  const actions = `${configDir}/actions`
  for (const folder of [configDir, actions]) await machine.folder(folder)
  const env = `${configDir}/.env`
  const hasEnv = ownEnv !== undefined && (await isFile(ownEnv))
  await machine.keepOrCopy(hasEnv ? ownEnv : join(beginning, 'env'), env, 0o640)
  const group = Number((await machine.must('getent', 'group', account)).split(':')[2])
  await makeSecret(machine, env, group) // also one that was there

  const hasConfig = ownConfig !== undefined && (await isFile(join(ownConfig, 'damselfly.yaml')))
  const config = hasConfig ? ownConfig : beginning
  const yaml = `${configDir}/damselfly.yaml`
  const isFirst = await machine.keepOrCopy(join(config, 'damselfly.yaml'), yaml, 0o644)
  // the schema belongs to this version, not to the owner
  await machine.link(join(packageDir, 'config/damselfly.schema.json'), `${configDir}/damselfly.schema.json`)
  if (!isFirst) return // an example action that its owner removed stays away
  for (const file of ['users', 'acl']) {
    if (!(await isFile(join(config, file)))) continue
    await machine.keepOrCopy(join(config, file), `${configDir}/${file}`, 0o640)
    await makeSecret(machine, `${configDir}/${file}`, group)
  }
  for (const file of await filesIn(join(config, 'actions')))
    await machine.keepOrCopy(join(config, 'actions', file), `${actions}/${file}`, 0o644)
}

/** The text of a file of the configuration; empty when it is not there. */
export async function configText(machine: Machine, name: string): Promise<string> {
  const path = machine.path(`${configDir}/${name}`)
  return (await isFile(path)) ? await readFile(path, 'utf8') : ''
}

/** It holds passwords, and the service must read it. */
async function makeSecret(machine: Machine, path: string, group: number): Promise<void> {
  await chown(machine.path(path), machine.uid, group)
  await chmod(machine.path(path), 0o640)
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
