import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stoppableBroker } from '../support/client-kit.js'
import { root } from '../support/daemon.js'
import { until } from '../support/until.js'

const page = readFileSync(join(root, 'docs/library.md'), 'utf8')

/** A program of the page, with this package and this broker in it. */
function programOf(name: string, port: number): string {
  const block = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string)
  const code = block.find((text) => text.startsWith(`// ${name}\n`)) as string
  return code
    .replace("'damselfly'", `'${join(root, 'dist/index.js')}'`)
    .replace('192.168.1.5', `127.0.0.1:${port}`)
}

test('the two programs of the page do what it says', async (context) => {
  const broker = await stoppableBroker(context)
  const run = (name: string) =>
    spawn(process.execPath, ['--input-type=module', '-e', programOf(name, broker.port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  const receiver = run('receiver.mjs')
  context.after(() => receiver.kill())
  let told = ''
  receiver.stdout.on('data', (chunk) => (told += chunk))
  await until('it is connected', () => broker.log.having('client connected').length === 1)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const sender = run('sender.mjs')
  assert.deepEqual(await once(sender, 'exit'), [0, null])
  await until('it is told', () => told.includes('\n'))
  assert.match(told, new RegExp(`^\\S+Z sensors/${hostname()}/temperature 21.5\n$`))
})
