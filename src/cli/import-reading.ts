import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../core/errors.ts'
import type { Machine } from './service-machine.ts'
import { hiddenBy } from './service-plan.ts'

/**
 * Sees to it that the service's account can read a file that is mosquitto's, as a key is, and takes no right from anybody: it
 * joins the file's group where that may read it, or becomes the group where none may.
 * @returns what was done, or why it cannot be, a line each
 */
export async function letIn(machine: Machine, account: string, path: string): Promise<readonly string[]> {
  const hidden = hiddenBy(path)
  if (hidden !== undefined) return [`${path}: ${hidden}; copy it into /etc/damselfly and name it there`]
  try {
    const closed = await closedFolder(path)
    if (closed !== undefined)
      return [
        `${path}: ${closed} is closed to ${account}; copy the file into /etc/damselfly and name it there`,
      ]
    const { mode, gid } = await stat(path)
    if ((mode & 0o004) !== 0) return []
    if ((mode & 0o040) === 0) {
      await machine.must('chgrp', account, path)
      await machine.must('chmod', 'g+r', path)
      return [`let ${account} read ${path}: it is the file's group now`]
    }
    const group = (await machine.run('getent', ['group', String(gid)])).stdout.split(':')[0]
    if (group === account) return []
    if (gid === 0 || group === undefined || group === '')
      return [`${path}: ${account} cannot read it; sudo setfacl -m u:${account}:r ${path}`]
    await machine.must('usermod', '-aG', group, account)
    return [`let ${account} read ${path}: it is in the group ${group} now`]
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [`${path} is not there`]
    throw error
  }
}

/** The folder above a file through which others may not go. */
async function closedFolder(path: string): Promise<string | undefined> {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return at
    if (at === dirname(at)) return undefined
  }
}
