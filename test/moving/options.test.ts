import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type MosquittoConf, readMosquittoConf } from '#src/moving/mosquitto-conf.js'
import type { Move } from '#src/moving/move.js'
import { isFamily, type Option } from '#src/moving/option.js'
import { optionOf, options } from '#src/moving/options.js'
import { optionTable } from '#src/moving/table.js'
import { translate } from '#src/moving/translate.js'
import { root } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'

async function confOf(context: TestContext, text: string): Promise<MosquittoConf> {
  const folder = await tempFolder(context)
  await mkdir(join(folder, 'conf.d'))
  const file = join(folder, 'mosquitto.conf')
  await writeFile(file, text)
  return await readMosquittoConf(file)
}

const listener = 'listener 21883 127.0.0.1\n'
const bridge = 'connection other\naddress 192.0.2.1\ntopic # out\n'
const tls = 'certfile server.crt\nkeyfile server.key\n'

/** What an option needs around it to say something. */
function surroundings({ name, scope }: Option): { readonly before: string; readonly after?: string } {
  if (name === 'listener' || name === 'port' || name === 'bind_address') return { before: '' }
  if (name === 'connection') return { before: '', after: 'address 192.0.2.1\ntopic # out\n' }
  if (name === 'address') return { before: 'connection other\ntopic # out\n' }
  if (name === 'topic') return { before: 'connection other\naddress 192.0.2.1\n' }
  if (name === 'remote_password') return { before: `${bridge}remote_username house\n` }
  if (name === 'allow_anonymous') return { before: listener }
  if (name === 'websockets_origin') return { before: `${listener}protocol websockets\n` }
  if (name === 'plugin_use') return { before: `plugin_load dynsec /x.so\n${listener}` }
  if (name === 'certfile') return { before: `${listener}keyfile server.key\n` }
  if (name === 'keyfile') return { before: `${listener}certfile server.crt\n` }
  if (name === 'cafile') return { before: `${listener}${tls}require_certificate true\n` }
  if (['crlfile', 'use_identity_as_username', 'use_subject_as_username'].includes(name))
    return { before: `${listener}${tls}cafile ca.crt\nrequire_certificate true\n` }
  if (name === 'require_certificate') return { before: `${listener}${tls}cafile ca.crt\n` }
  if (name === 'bridge_alpn' || name === 'bridge_insecure')
    return { before: `${bridge}bridge_cafile ca.crt\n` }
  if (name === 'bridge_certfile') return { before: `${bridge}bridge_keyfile bridge.key\n` }
  if (name === 'bridge_keyfile') return { before: `${bridge}bridge_certfile bridge.crt\n` }
  if (name === 'tls_version') return { before: `${listener}${tls}` }
  if (name === 'threshold' || name === 'idle_timeout') return { before: `${bridge}start_type lazy\n` }
  if (scope === 'listener') return { before: listener }
  if (scope === 'bridge') return { before: bridge }
  if (scope === 'plugin') return { before: 'plugin /usr/lib/mosquitto_dynamic_security.so\n' }
  return { before: '' }
}

const settingsOf = ({ env, listeners, bridges, copies }: Move): unknown => ({
  env: [...env],
  listeners: [...listeners],
  bridges: [...bridges],
  copies,
})

for (const option of options) {
  const name = isFamily(option) ? `${option.name.slice(0, -1)}some` : option.name
  test(`${option.name} becomes what the table says: ${option.fate.kind}`, async (context) => {
    const { before, after = '' } = surroundings(option)
    const moved = translate(await confOf(context, `${before}${name} ${option.sample}\n${after}`), 'pi')
    const line = before.split('\n').length
    const outcome = moved.outcomes.find(({ statement }) => statement.place.line === line)
    assert.equal(outcome?.statement.option, option)
    assert.equal(outcome?.kind, option.fate.kind, outcome?.text)
    const without = translate(await confOf(context, `${before}${after}`), 'pi')
    if (option.fate.kind === 'taken') assert.notDeepEqual(settingsOf(moved), settingsOf(without))
    else if (option.fate.kind === 'same') assert.deepEqual(settingsOf(moved), settingsOf(without))
    else assert.ok(outcome.text.length > 20 && outcome.statement.place.line === line)
    assert.equal(moved.outcomes.length, new Set(moved.outcomes.map(({ statement }) => statement)).size)
  })
}

test('every name of an option leads to it, and no name to two', () => {
  const names = options.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  assert.equal(new Set(names).size, names.length)
  for (const name of names)
    assert.ok(optionOf(name)?.name === name || optionOf(name)?.aliases?.includes(name))
  assert.equal(optionOf('max_conections'), undefined)
})

const manual = '/usr/share/man/man5/mosquitto.conf.5.gz'

test('the table knows every option of the manual of the mosquitto that is here', {
  skip: !existsSync(manual) && 'needs the manual of mosquitto',
}, () => {
  const text = gunzipSync(readFileSync(manual)).toString()
  const terms = [...text.matchAll(/^\.PP\n\\fB([a-z_0-9.]+)\\fR(?: |$)/gm)]
    .map(([, name]) => name as string)
    .filter((name) => name !== 'mosquitto') // in a sentence
  assert.ok(terms.length > 90, `${terms.length} options found`)
  assert.deepEqual(
    terms.filter((name) => optionOf(name) === undefined),
    [],
  )
})

test('docs/from-mosquitto.md has the table as it is in the code', () => {
  const page = readFileSync(join(root, 'docs/from-mosquitto.md'), 'utf8')
  const [, written] = /<!-- options -->\n([\s\S]*?)\n<!-- \/options -->/.exec(page) ?? []
  assert.equal(written, optionTable())
})
