import { appendFileSync, existsSync, readFileSync, unlinkSync } from 'node:fs'
import { promise, property, sh } from '../../proof.mjs'
import { dpkg, etc, packages, retained, state, traces } from '../kit.mjs'

export async function prove() {
  await sh('cp', '-a', '/job/global/.', '/usr/local/')
  await sh('/usr/local/bin/damselfly', 'service', 'install')
  appendFileSync(`${etc}/.env`, 'NAME=attic\n')
  unlinkSync(`${etc}/acl`)
  appendFileSync(`${etc}/damselfly.yaml`, '# mine\n')
  await sh('systemctl', 'restart', 'damselfly')
  await sh('mosquitto_pub', '-r', '-q', '1', '-t', 'kept/message', '-m', 'of npm')

  const { code, text } = dpkg('-i', packages.first)
  promise(
    'the package over npm’s service: nobody is asked',
    code === 0 && !text.includes('What would you like'),
    text,
  )
  promise(
    'the unit is the package’s',
    (await property('FragmentPath')) === '/usr/lib/systemd/system/damselfly.service',
    await property('FragmentPath'),
  )
  promise('running and enabled', (await state()) === 'active running enabled', await state())
  const isKept =
    readFileSync(`${etc}/.env`, 'utf8').endsWith('NAME=attic\n') &&
    readFileSync(`${etc}/damselfly.yaml`, 'utf8').endsWith('# mine\n')
  promise('settings stay', isKept && !existsSync(`${etc}/.env.kept-by-dpkg`))
  const message = await retained('kept/message')
  promise('data stay', message === 'of npm', message)
  promise(
    'that npm’s program hides the package’s is said',
    text.includes('/usr/local/bin/damselfly goes before'),
  )
  const again = await sh('/usr/local/bin/damselfly', 'service', 'install')
  promise(
    'npm’s service install is refused from now on',
    again.code === 1 && again.text.includes('apt remove damselfly'),
    again.text,
  )

  dpkg('-r', 'damselfly')
  const back = await sh('/usr/local/bin/damselfly', 'service', 'install')
  promise(
    'after a removal it may again',
    back.code === 0 && (await state()) === 'active running enabled',
    await state(),
  )
  const purge = dpkg('-P', 'damselfly')
  const stays = existsSync('/var/lib/damselfly') && existsSync('/etc/systemd/system/damselfly.service')
  promise('and a purge leaves its data alone', purge.code === 0 && stays, purge.text)
  await sh('/usr/local/bin/damselfly', 'service', 'uninstall')
  promise(
    'what is left is npm’s',
    (await traces()).includes('/usr/local/'),
    await traces().then((all) =>
      all
        .split('\n')
        .filter((path) => !path.startsWith('/usr/local'))
        .join('\n'),
    ),
  )
}
