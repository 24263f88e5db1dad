// Damselfly in the place of Debian's mosquitto, promise by promise, over reboots: what has to outlive one is kept in
// /var/lib/move. A failed part is told and the rest goes on.
import { readFileSync, writeFileSync } from 'node:fs'
import { end, failureCount, promise, sh, sleep } from '../proof.mjs'

const [partFile, failuresFile] = ['/var/lib/move/part', '/var/lib/move/failures']
const next = { before: 'switch', switch: 'after' }
const part = readFileSync(partFile, 'utf8').trim()
const earlier = part === 'before' ? 0 : Number(readFileSync(failuresFile, 'utf8'))

console.log(`\n${part}`)
let reboot = () => sh('systemctl', 'reboot')
try {
  reboot = (await (await import(`./parts/${part}.mjs`)).prove()) ?? reboot
} catch (error) {
  promise(`${part} went through`, false, error.stack)
}
if (next[part] === undefined) end(earlier)
writeFileSync(partFile, next[part])
writeFileSync(failuresFile, String(earlier + failureCount()))
await sh('sync')
await reboot()
await sleep(60_000)
