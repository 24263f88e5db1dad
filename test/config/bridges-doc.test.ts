import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSettings } from '#src/config/read-settings.js'
import { bridgeKeys, bridgeTlsKeys, bridgeTopicKeys } from '#src/config/vocabulary/bridges.js'
import { untrusted } from '../support/actions-certificate.js'
import { catalogueOf, folderOf, standInCompiler } from '../support/config-world.js'
import { root } from '../support/daemon.js'

const doc = readFileSync(join(root, 'docs/bridges.md'), 'utf8')
const examples = [...doc.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml as string)

test('docs/bridges.md has examples', () => assert.ok(examples.length >= 6))

for (const yaml of examples) {
  const title = /address: (\S+)/.exec(yaml)?.[1]
  test(`the example with ${title} in docs/bridges.md is read without a mistake or a warning`, async () => {
    const files: Record<string, string> = {}
    for (const [, key, file] of yaml.matchAll(/\b(password_file|ca|certificate|key): ([^\s,}]+)/g)) {
      files[`config/${file}`] = key === 'key' ? untrusted.key : untrusted.cert
    }
    await using folder = await folderOf({ ...files, 'config/damselfly.yaml': yaml })
    const { settings, warnings } = await readSettings({
      cwd: folder.path,
      environment: {},
      compiler: standInCompiler,
      loadActions: async () => ({ catalogue: catalogueOf(), problems: [] }),
      isTerminal: false,
    })
    assert.equal(settings.bridges.length, 1)
    assert.deepEqual(warnings, [])
  })
}

test('docs/bridges.md tells of every key', () => {
  const keys = [bridgeKeys, bridgeTopicKeys, bridgeTlsKeys].flatMap((one) => Object.keys(one))
  assert.deepEqual(
    keys.filter((key) => !doc.includes(`\`${key}\``) && !doc.includes(`\`${key}: true\``)),
    ['topics'],
  )
})
