import assert from 'node:assert/strict'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { planFiles, writeFiles } from '#src/cli/import-files.js'
import { ProblemsError } from '#src/core/problems.js'
import { settingsReader } from '#src/daemon/settings-reader.js'
import { readMosquittoConf } from '#src/moving/mosquitto-conf.js'
import { isFamily, type Option } from '#src/moving/option.js'
import { options } from '#src/moving/options.js'
import { translate } from '#src/moving/translate.js'
import { Authority } from '../support/certificates.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

const skip = missing('openssl')

/** A folder with every file that the samples of the options name. */
async function sampleFolder(context: TestContext): Promise<string> {
  const folder = await tempFolder(context)
  const authority = await Authority.make(context)
  await copyFile(authority.certPath, join(folder, 'ca.crt'))
  for (const name of ['server', 'bridge']) {
    const { certPath, keyPath } = await authority.issue(name)
    await copyFile(certPath, join(folder, `${name}.crt`))
    await copyFile(keyPath, join(folder, `${name}.key`))
  }
  await writeFile(join(folder, 'ca.crl'), await authority.revoke())
  await writeFile(join(folder, 'pwfile'), '')
  await writeFile(join(folder, 'aclfile'), 'topic read a/#\n')
  await mkdir(join(folder, 'conf.d'))
  return folder
}

let count = 0

/** What `damselfly check` says of what is written for this mosquitto.conf. */
async function mistakesOf(folder: string, text: string): Promise<readonly string[]> {
  const file = join(folder, 'mosquitto.conf')
  await writeFile(file, text)
  const cwd = join(folder, `house-${count++}`)
  const target = { cwd, configDir: join(cwd, 'config') }
  const move = translate(await readMosquittoConf(file), 'pi')
  await writeFiles(await planFiles(move, target, file), target)
  try {
    await settingsReader({ cwd, environment: {} }).read()
    return []
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error
    return error.problems
      .filter(({ isWarning }) => isWarning !== true)
      .map(({ message }) => `${message}\n  of ${text.replaceAll('\n', '\n  ')}`)
  }
}

const bridge = 'connection other\naddress 192.0.2.1\ntopic a/# out\n'
const tls = 'certfile server.crt\nkeyfile server.key\n'
const bases: Readonly<Record<Option['scope'], readonly string[]>> = {
  general: [''],
  security: ['', 'listener 1884\n', 'per_listener_settings true\nlistener 1884\nlistener 1885\n'],
  listener: [
    '',
    'listener 1884\n',
    `listener 8883\n${tls}`,
    `listener 8883\n${tls}cafile ca.crt\nrequire_certificate true\n`,
    `listener 9001\nprotocol websockets\n${tls}`,
    'listener 0 /run/damselfly/mqtt.sock\n',
  ],
  bridge: [
    'connection other\n',
    bridge,
    `${bridge}bridge_cafile ca.crt\n`,
    `${bridge}bridge_certfile bridge.crt\nbridge_keyfile bridge.key\n`,
    `${bridge}start_type lazy\nremote_username house\ncleansession true\n`,
  ],
  plugin: ['plugin /usr/lib/mosquitto_dynamic_security.so\n'],
}

const extremes = ['0', '99999999', 'true']

test('what is written for any option, in any place, is accepted as settings', { skip }, async (context) => {
  const folder = await sampleFolder(context)
  const mistakes: string[] = []
  for (const option of options) {
    const name = isFamily(option) ? `${option.name.slice(0, -1)}some` : option.name
    const values = option.value === 'word' ? [option.sample, ...extremes] : [option.sample]
    for (const base of bases[option.scope])
      for (const value of new Set(values))
        mistakes.push(...(await mistakesOf(folder, `${base}${name} ${value}\n`)))
  }
  assert.equal(mistakes.join('\n'), '')
})

const refused: readonly (readonly [string, string, RegExp])[] = [
  ['a pattern that is none', 'topic a#b out', /this topic is left out/],
  ['a prefix with a wildcard', 'topic a out 0 +/', /a prefix cannot have/],
  ['two prefixes of which one is missing', 'topic "" out 0 a', /one is missing/],
  ['an insecure bridge without TLS', 'topic a\nbridge_insecure true', /this bridge has no TLS/],
]

for (const [title, lines, told] of refused)
  test(`what a bridge cannot have is told, and the settings are accepted: ${title}`, async (context) => {
    const folder = await tempFolder(context)
    const text = `listener 1884\nallow_anonymous true\nconnection other\naddress 192.0.2.1\n${lines}\n`
    assert.deepEqual(await mistakesOf(folder, text), [])
    const { outcomes } = translate(await readMosquittoConf(join(folder, 'mosquitto.conf')), 'pi')
    assert.match(outcomes.map(({ text }) => text).join('\n'), told)
  })
