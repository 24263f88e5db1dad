import { writeFileSync } from 'node:fs'
import { connect, promise, sh } from '../kit.mjs'

/** What a program under the unit says to a line of shell, and what must be in it. */
const tries = [
  ['a private /tmp', 'echo x > /tmp/x && cat /tmp/x', /^x$/],
  ['ip shows the addresses', 'ip -oneline address show lo', /127\.0\.0\.1/],
  ['/proc/meminfo can be read', 'head -1 /proc/meminfo', /MemTotal/],
  ['/var/lib/damselfly can be written', 'touch /var/lib/damselfly/x && echo yes', /^yes$/],
  ['/etc/damselfly cannot', 'touch /etc/damselfly/x 2>&1; true', /Read-only|denied/],
  ['homes cannot be seen', 'cat /root/secret 2>&1; true', /denied|No such/],
  ['other devices are closed', 'head -c 1 /dev/proof 2>&1; true', /not permitted/],
  ['no one becomes root', 'grep -E "NoNewPrivs|CapEff" /proc/self/status', /CapEff:\s+0+\nNoNewPrivs:\s+1/],
  ['file descriptors', 'ulimit -n', /^16384$/],
]

export async function prove() {
  const path = '/etc/systemd/system/damselfly.service'
  const verify = await sh('systemd-analyze', 'verify', '--recursive-errors=no', path)
  promise('systemd-analyze verify is clean', verify.code === 0 && verify.text === '', verify.text)
  const security = await sh(
    'systemd-analyze',
    'security',
    '--threshold=20',
    '--no-pager',
    'damselfly.service',
  )
  promise(
    'systemd-analyze security is at most 2.0',
    security.code === 0,
    security.stdout.trim().split('\n').at(-1),
  )

  writeFileSync('/root/secret', 'secret')
  await sh('mknod', '-m', '666', '/dev/proof', 'c', '240', '0') // open to all, but for DevicePolicy=
  const client = await connect()
  for (const [what, script, pattern] of tries) {
    const said = await client.answer('house/said', 'house/shell', script)
    promise(what, pattern.test(said), said)
  }
  client.end()
}
