import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { isIPv4 } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { localAddress } from '#src/client/local-address.js'
import { root } from '../support/daemon.js'
import { twoHosts } from '../support/netns.js'
import { missing } from '../support/tools.js'

test('it is the name of this machine, and an IPv4 address or nothing', async () => {
  const { host, ip } = await localAddress()
  assert.equal(host, hostname())
  assert.ok(ip === '' || isIPv4(ip))
})

test('without a network the address is empty; without a default route any address; with one, that of its interface', {
  skip: missing('root', 'ip'),
}, (context) => {
  const { server, ip } = twoHosts(context)
  const program = `import { localAddress } from ${JSON.stringify(join(root, 'dist/index.js'))}; console.log((await localAddress()).ip)`
  const told = () =>
    execFileSync('ip', ['netns', 'exec', server, process.execPath, '--input-type=module', '-e', program], {
      encoding: 'utf8',
    }).trim()
  assert.equal(told(), '')
  ip('link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'a1')
  for (const name of ['a0', 'a1']) ip('link', 'set', name, 'up')
  ip('addr', 'add', '10.66.0.1/24', 'dev', 'a0')
  assert.equal(told(), '10.66.0.1')
  ip('addr', 'add', '10.77.0.5/24', 'dev', 'lan0')
  ip('route', 'add', 'default', 'via', '10.77.0.9')
  assert.equal(told(), '10.77.0.5')
})
