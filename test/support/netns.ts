import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'

let count = 0

/** Two hosts of their own, in network namespaces, joined by a cable; they go with the test. Needs root. */
export interface Hosts {
  /** Where the daemon runs; its end of the cable is `lan0`, without an address at first. */
  readonly server: string
  /** Another machine on the cable, 10.77.0.9. */
  readonly client: string
  /** Runs `ip` in the server's namespace. */
  ip(...argv: string[]): void
}

export function twoHosts(context: TestContext): Hosts {
  const id = `df${process.pid}n${count++}`
  const [server, client] = [`${id}s`, `${id}c`]
  const run = (...argv: string[]): void => void execFileSync('ip', argv, { stdio: 'pipe' })
  context.after(() => {
    for (const name of [server, client]) run('netns', 'del', name)
  })
  run('netns', 'add', server)
  run('netns', 'add', client)
  run('-n', server, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client)
  for (const name of [server, client]) run('-n', name, 'link', 'set', 'lo', 'up')
  run('-n', server, 'link', 'set', 'lan0', 'up')
  run('-n', client, 'link', 'set', 'eth0', 'up')
  run('-n', client, 'addr', 'add', '10.77.0.9/24', 'dev', 'eth0')
  return { server, client, ip: (...argv) => run('-n', server, ...argv) }
}
