import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./default-interface-program.js', import.meta.url))

/**
 * The default route's interface as `systeminformation` tells it; undefined when it does not know, fails,
 * needs longer than `timeoutMs`, or `signal` aborts. Sends no packet.
 *
 * @NOTE The library runs `ip route` by execSync, which no time limit can end and which would stop the whole
 * process while it hangs; loaded, it also keeps some 10 MB. Hence a process of its own, which ends.
 */
export function defaultInterface(timeoutMs: number, signal?: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program],
      // no variable is passed on: the environment may hold secrets
      { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, timeout: timeoutMs, killSignal: 'SIGKILL', signal },
      (error, stdout) => resolve(error === null && stdout !== '' ? stdout : undefined),
    )
  })
}
