import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from './variables.ts'

/** Where a command finds the settings. */
export interface House {
  /** The folder of `.env`. */
  readonly cwd: string
  readonly environment: Environment
  /** It is the installed service's, and not the working directory's. */
  readonly isService: boolean
}

export interface HouseRequest {
  readonly cwd: string
  /** The process's own unless told. */
  readonly environment?: Environment
  /** The service's folders, as its unit has them. */
  readonly service?: { readonly configDir: string; readonly dataDir: string; readonly runtimeDir: string }
}

const installed = { configDir: '/etc/damselfly', dataDir: '/var/lib/damselfly', runtimeDir: '/run/damselfly' }

/**
 * The house that a command is about: that of the working directory when it has `.env` or `config/`, or when the
 * environment says `CONFIG_DIR` or `DATA_DIR`; else the installed service's, with the environment that its unit sets.
 * Where no service is installed it is the working directory's all the same, so that the mistake is told there.
 */
export async function findHouse(request: HouseRequest): Promise<House> {
  const { cwd, environment = process.env, service = installed } = request
  const here = { cwd, environment, isService: false }
  if (environment['CONFIG_DIR'] !== undefined || environment['DATA_DIR'] !== undefined) return here
  // /etc/damselfly itself has a .env
  const isHere =
    cwd !== service.configDir && ((await exists(join(cwd, '.env'))) || (await exists(join(cwd, 'config'))))
  if (isHere || !(await exists(join(service.configDir, 'damselfly.yaml')))) return here
  const unit = {
    CONFIG_DIR: service.configDir,
    STATE_DIRECTORY: service.dataDir,
    RUNTIME_DIRECTORY: service.runtimeDir,
  }
  return { cwd: service.configDir, environment: { ...environment, ...unit }, isService: true }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false // also when it may not be looked at: whoever reads it says why
  }
}
