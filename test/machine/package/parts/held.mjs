import { promise, sh, systemctl } from '../../proof.mjs'
import { answer, dpkg, packages, state, traces } from '../kit.mjs'

export async function prove() {
  await systemctl('start', 'mosquitto')
  const { code, text } = dpkg('-i', packages.first)
  const isTold =
    text.includes('mosquitto is running and holds port 1883') && text.includes('damselfly import --switch')
  promise(
    'while mosquitto holds the port the package is installed, and says what to do',
    code === 0 && isTold,
    text,
  )
  promise('it is neither started nor enabled', (await state()) === 'inactive dead disabled', await state())
  promise('and mosquitto goes on', (await systemctl('is-active', 'mosquitto')).text === 'active')
  const service = await sh('damselfly', 'service', 'install')
  promise(
    'service install does the same',
    service.code === 0 &&
      service.text.includes('not started') &&
      (await state()) === 'inactive dead disabled',
    service.text,
  )

  const upgrade = dpkg('-i', packages.second)
  promise(
    'so it is over an upgrade',
    upgrade.code === 0 && (await state()) === 'inactive dead disabled',
    await state(),
  )
  const over = await sh('sh', '-c', 'systemctl disable --now mosquitto && systemctl enable --now damselfly')
  const said = await answer('hello/answer', 'hello', 'Pi')
  promise(
    'the command that it has told hands over',
    over.code === 0 && said === 'Hello Pi' && (await state()) === 'active running enabled',
    `${said}, ${await state()}`,
  )
  dpkg('-P', 'damselfly')
  promise('purged, it leaves nothing', (await traces()) === '', await traces())

  await refusedByPolicy()
}

/** Images are made so: services of packages must not start while they are installed. */
async function refusedByPolicy() {
  await sh(
    'sh',
    '-c',
    'printf "#!/bin/sh\\nexit 101\\n" >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d',
  )
  const { code, text } = dpkg('-i', packages.first)
  promise(
    'where policy-rc.d forbids it, it is enabled and not started',
    code === 0 && (await state()) === 'inactive dead enabled',
    `${text} ${await state()}`,
  )
  dpkg('-P', 'damselfly')
  await sh('rm', '/usr/sbin/policy-rc.d')
}
