import { fileURLToPath } from 'node:url'
import { exitCodes } from './exit-codes.ts'
import { serviceInstall, serviceStatus, serviceUninstall } from './service-install.ts'

const packageDir = fileURLToPath(new URL('../..', import.meta.url))
const print = (line: string): void => console.log(line)

/** @throws DamselflyError `SERVICE_REFUSED`, `SERVICE_FAILED` */
export function install(): Promise<void> {
  return serviceInstall({ packageDir, workingDir: process.cwd(), print })
}

/** @throws DamselflyError `SERVICE_REFUSED`, `SERVICE_FAILED` */
export function uninstall(): Promise<void> {
  return serviceUninstall({ packageDir, print })
}

/** Sets the exit code to 1 when the service does not run. @throws DamselflyError `SERVICE_REFUSED` */
export async function status(): Promise<void> {
  if (!(await serviceStatus({ print }))) process.exitCode = exitCodes.failed
}
