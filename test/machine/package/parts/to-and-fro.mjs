import { appendFileSync, readFileSync } from 'node:fs'
import { promise, property, sh } from '../../proof.mjs'
import { dpkg, etc, packages, state } from '../kit.mjs'

/** npm's program is there already. */
export async function prove() {
  const npm = async () => await sh('/usr/local/bin/damselfly', 'service', 'install')
  await sh('rm', '-rf', etc)
  await npm()
  appendFileSync(`${etc}/.env`, 'NAME=cellar\n')
  const isKept = () => readFileSync(`${etc}/.env`, 'utf8').endsWith('NAME=cellar\n')
  for (const option of ['-r', '-P']) {
    dpkg('--unpack', packages.first)
    const { code, text } = dpkg(option, 'damselfly')
    promise(
      `unpacked only, then dpkg ${option}: npm’s service has its settings, and runs`,
      code === 0 && isKept() && (await state()) === 'active running enabled',
      `${text} ${await state()}`,
    )
  }

  dpkg('-i', packages.first)
  dpkg('-r', 'damselfly')
  await npm()
  const { code, text } = dpkg('-i', packages.first)
  const main = await property('ExecStart')
  promise(
    'npm, package, npm, package: the package’s service runs and is enabled',
    code === 0 && (await state()) === 'active running enabled' && main.includes('/usr/lib/damselfly/'),
    `${text} ${await state()} ${main}`,
  )
  dpkg('-P', 'damselfly')
}
