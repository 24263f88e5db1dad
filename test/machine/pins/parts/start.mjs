import { readFileSync } from 'node:fs'
import { journal, lines, promise, sh, statesAgree, systemctl, watch } from '../kit.mjs'

export async function prove() {
  const begun = Date.now()
  const { code, text } = await sh('sh', '-c', 'cd /srv/house && damselfly service install')
  promise('installed', code === 0, text)
  console.log(await journal('simulated', begun))
  await systemctl('start', 'chip', 'edges')
  console.log(readFileSync('/run/edges', 'utf8'))
  const w = watch()
  await systemctl('restart', 'damselfly')
  w.promise('x', true, Object.keys(lines))
  await statesAgree()
}
