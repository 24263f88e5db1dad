import { existsSync, readFileSync } from 'node:fs'
import { promise, property, sh } from '../../proof.mjs'
import { dpkg, etc, facts, packages, retained, state } from '../kit.mjs'

export async function prove() {
  const pid = await property('MainPID')
  const { code, text } = dpkg('-r', 'damselfly')
  promise('remove ends with 0', code === 0, text)
  promise(
    'the process has ended',
    !existsSync(`/proc/${pid}`) && (await property('LoadState')) === 'not-found',
    await property('LoadState'),
  )
  const left = await facts(`${etc}/.env`, `${etc}/damselfly.yaml`, '/var/lib/damselfly')
  promise('settings and data stay', !left.includes('cannot') && left.includes('640 root:damselfly'), left)
  promise('the program does not', !existsSync('/usr/bin/damselfly') && !existsSync('/usr/lib/damselfly'))

  const again = dpkg('-i', packages.first)
  promise(
    'installed again it runs and is enabled',
    again.code === 0 && (await state()) === 'active running enabled',
    `${again.text} ${await state()}`,
  )
  promise('with the settings', readFileSync(`${etc}/.env`, 'utf8').endsWith('NAME=shed\n'))
  const message = await retained('kept/message')
  promise('and the data', message === 'as it was', message)
  const verified = await sh('damselfly', 'check')
  promise('which are right', verified.code === 0, verified.text)
}
