import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'

let count = 0

/** A host of its own on a LAN, in a network namespace. */
export interface Host {
  readonly netns: string
  readonly address: string
}

/** Hosts 10.77.0.1, 10.77.0.2 and so on, on one switch; they go with the test. Needs root. */
export function hostsOnOneLan(context: TestContext, hosts: number): Host[] {
  const id = `dl${process.pid}n${count++}`
  const run = (...argv: string[]): void => void execFileSync('ip', argv, { stdio: 'pipe' })
  const all = [`${id}s`]
  context.after(() => {
    for (const name of all) run('netns', 'del', name)
  })
  const [lan] = all as [string]
  run('netns', 'add', lan)
  run('-n', lan, 'link', 'add', 'switch', 'type', 'bridge')
  run('-n', lan, 'link', 'set', 'switch', 'up')
  return Array.from({ length: hosts }, (_, index) => {
    const netns = `${id}h${index}`
    const address = `10.77.0.${index + 1}`
    run('netns', 'add', netns)
    all.push(netns)
    run('-n', lan, 'link', 'add', `port${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns)
    run('-n', lan, 'link', 'set', `port${index}`, 'master', 'switch', 'up')
    run('-n', netns, 'link', 'set', 'lo', 'up')
    run('-n', netns, 'link', 'set', 'eth0', 'up')
    run('-n', netns, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    return { netns, address }
  })
}
