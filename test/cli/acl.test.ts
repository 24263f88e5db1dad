import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand, writeFiles } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'

const acl = `topic read public/#
user house
topic readwrite home/#
topic deny home/lock
user $rules
topic write home/+
pattern write devices/%c/#
`

const asked: readonly (readonly [argv: string, code: number, stdout: string, stderr?: RegExp])[] = [
  ['house home/lamp write', 0, 'yes: config/acl:3: topic readwrite home/#'],
  ['house home/lock read', 1, 'no: config/acl:4: topic deny home/lock'],
  ['house garden read', 1, 'no: no line of config/acl allows it'],
  ['house home/# read', 0, 'yes: config/acl:3: topic readwrite home/#'],
  ['house garden/# read', 1, 'no: no line of config/acl allows it'],
  ['house $SYS/x write', 1, 'no: topics below $SYS are the broker’s own'],
  ['- public/a read', 0, 'yes: config/acl:1: topic read public/#'],
  ['- home/lamp read', 1, 'no: no line of config/acl allows it'],
  ['$rules home/lamp write', 0, 'yes: config/acl:6: topic write home/+'],
  ['$rules home/lamp read', 1, 'no: no line of config/acl allows it'],
  ['$pins home/lamp read', 0, 'yes: config/acl has no section for $pins: it may do everything'],
  ['house devices/esp/a write --client esp', 0, 'yes: config/acl:7: pattern write devices/%c/#'],
  ['house devices/esp/a write', 1, 'no: no line of config/acl allows it', /%c is tried as "test"/],
  [
    'ghost home/lamp read',
    1,
    'no: no line of config/acl allows it',
    /ghost is neither in the file of users nor/,
  ],
  ['house home/lamp publish', 2, '', /read or write, not "publish"/],
  ['house home/# write', 2, '', /cannot be asked about: a topic to publish to has no wildcards/],
  ['house home/#/x read', 2, '', /# must be the last level/],
  ['$rule home read', 2, '', /no user has the name "\$rule"; our own are \$rules and \$pins/],
  ['house home read --listener mian', 2, '', /no listener has the name "mian": main perhaps/],
  ['house home', 2, '', /missing required argument 'verb'/],
]

test('acl test says yes or no, and which line decides', async (context) => {
  const folder = await tempFolder(context)
  const env = 'MQTT_USERNAME=house\nMQTT_PASSWORD=a-long-enough-key\n'
  await writeFiles(folder, { '.env': env, 'damselfly.yaml': '', 'config/acl': acl })
  for (const [argv, code, stdout, stderr = /^$|^note: %c/] of asked) {
    const told = await runCommand(folder, ['acl', 'test', ...argv.split(' ')])
    assert.equal(told.stdout.trim(), stdout, argv)
    assert.match(told.stderr, stderr, argv)
    assert.equal(told.code, code, argv)
  }
})

test('without a list everybody may do everything, and a list with a mistake is told', async (context) => {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': '', 'damselfly.yaml': '' })
  const open = await runCommand(folder, ['acl', 'test', '-', 'a', 'write'])
  assert.deepEqual(
    [open.code, open.stdout],
    [0, 'yes: there is no access control list: everybody may do everything\n'],
  )
  await writeFiles(folder, { 'config/acl': 'topic reed a\n' })
  const wrong = await runCommand(folder, ['acl', 'test', '-', 'a', 'write'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /config\/acl:1:7: .*\n {2}found: +reed\n/)
})
