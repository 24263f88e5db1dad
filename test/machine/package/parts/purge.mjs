import { promise, sh } from '../../proof.mjs'
import { dpkg, traces } from '../kit.mjs'

export async function prove() {
  await sh('mkdir', '-p', '/etc/systemd/system/damselfly.service.d')
  await sh(
    'sh',
    '-c',
    'echo "[Service]" >/etc/systemd/system/damselfly.service.d/own.conf; echo x >/etc/damselfly/actions/own.js',
  )
  const { code, text } = dpkg('-P', 'damselfly')
  promise('purge ends with 0', code === 0, text)
  const left = await traces()
  promise('and nothing of that name is left', left === '', left)
  const user = (await sh('getent', 'passwd', 'damselfly')).text
  promise('but the account, as is Debian’s habit', user !== '', user)
}
