import { existsSync, readdirSync } from 'node:fs'
import { damselfly, promise, property } from '../kit.mjs'

export async function prove() {
  const { code, text } = await damselfly('service', 'uninstall')
  promise('service uninstall ends with 0', code === 0, text)
  const state = `${await property('LoadState')} ${await property('ActiveState')}`
  promise(
    'the service has stopped, its unit is gone',
    state.endsWith(' inactive') && !existsSync('/etc/systemd/system/damselfly.service'),
    state,
  )
  const [config, data] = ['/etc/damselfly', '/var/lib/damselfly'].map((folder) => readdirSync(folder))
  const isKept =
    ['.env', 'actions', 'damselfly.yaml'].every((name) => config.includes(name)) &&
    data.includes('damselfly.db')
  promise('configuration and data are kept', isKept, `${config.join(' ')}; ${data.join(' ')}`)
}
