import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { passwordHashText } from '#src/core/password-hash.js'
import { readAcl } from '../support/acl.js'
import { brief, settingsOf } from '../support/config-world.js'
import { root } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { oldHash } from '../support/users.js'

/** `who verb filter` of each line. */
async function linesOf(context: Parameters<typeof readAcl>[0], text: string): Promise<string[]> {
  const { list, problems } = await readAcl(context, text)
  assert.deepEqual(problems, [])
  return (list?.lines ?? []).map(({ subject, verb, filter, isPattern, line }) => {
    const name = 'name' in subject ? ` ${subject.name}` : ''
    return `${line} ${subject.kind}${name}: ${verb} ${filter}${isPattern ? ' (pattern)' : ''}`
  })
}

test('it reads what mosquitto reads: sections, verbs, patterns, comments, filters with spaces', async (context) => {
  const text = `# who may do what
topic read public/#

user kitchen
topic home/lamp
topic write  home/my lamp/set
  topic deny home/+/secret\r
user living room
pattern readwrite devices/%c/#
topic readwrite #
user kitchen
topic read extra
`
  assert.deepEqual(await linesOf(context, text), [
    '2 anonymous: read public/#',
    '5 user kitchen: readwrite home/lamp',
    '6 user kitchen: write home/my lamp/set',
    '7 user kitchen: deny home/+/secret',
    '9 everyone: readwrite devices/%c/# (pattern)',
    '10 user living room: readwrite #',
    '12 user kitchen: read extra',
  ])
})

test('a group begins a section as a user does, with its members or without, and may be spread', async (context) => {
  const text = `group lab: esp1, esp2 esp3
topic lab/#
group rest
topic rest/#
group lab: esp4
group rest: one
`
  assert.deepEqual(await linesOf(context, text), [
    '2 group lab: readwrite lab/#',
    '4 group rest: readwrite rest/#',
  ])
  const { list, warnings } = await readAcl(context, text)
  assert.deepEqual(
    [...(list?.groups ?? [])].map(([name, users]) => `${name}: ${[...users].join(' ')}`),
    ['lab: esp1 esp2 esp3 esp4', 'rest: one'],
  )
  assert.deepEqual(warnings, [])
})

const mistakes: readonly (readonly [text: string, ...told: string[]])[] = [
  [
    'topics a/b',
    '1:1 this line is not understood | found topics | expected user, group, topic, pattern | try topic a/b',
  ],
  [
    'deny a/b',
    '1:1 this line is not understood | found deny | expected user, group, topic, pattern | try topic deny a/b',
  ],
  ['xyzzy', '1:1 this line is not understood | found xyzzy | expected user, group, topic, pattern'],
  ['topic', '1:1 the filter is missing | found topic | expected topic [read|write|readwrite|deny] FILTER'],
  [
    'pattern  ',
    '1:1 the filter is missing | found pattern | expected pattern [read|write|readwrite|deny] FILTER',
  ],
  [
    'topic reed a',
    '1:7 this says neither that something is allowed nor that it is not | found reed | expected read, write, readwrite, deny | try read',
  ],
  [
    'topic publish a',
    '1:7 this says neither that something is allowed nor that it is not | found publish | expected read, write, readwrite, deny | try write',
  ],
  [
    'topic read a/#/b',
    '1:12 this is no filter of topics: # must be the last level, alone: a/b/# | found a/#/b',
  ],
  [
    'topic read a/b # all of it',
    '1:12 this is no filter of topics: # must be the last level, alone: a/b/# | found a/b # all of it | try put a comment on a line of its own',
  ],
  ['user', '1:1 the name of the user is missing | found user | expected user NAME'],
  [
    'user $rule\ntopic a',
    '1:6 names with $ at the beginning are those of our own rules and pins | found $rule | expected $rules, $pins | try $rules',
  ],
  [
    'user $rules\nuser a\ntopic b',
    '1:6 nothing says what $rules may do | found $rules | try user $rules, and below it: topic deny #',
  ],
  ['group', '1:1 the name of the group is missing | found group | expected group NAME: USER USER …'],
  [
    'group lab esp1 esp2',
    '1:7 a colon is missing between the name of the group and its users | found lab esp1 esp2 | expected group NAME: USER USER … | try group lab: esp1 esp2',
  ],
  [
    'group lab: esp1 $pins',
    '1:17 our own rules and pins are in no group | found $pins | expected names of users | try a section of its own: user $pins',
  ],
]
for (const [text, ...told] of mistakes)
  test(`"${text.replaceAll('\n', ' / ')}" is a mistake that is told with its place`, async (context) => {
    assert.deepEqual((await readAcl(context, text)).problems.map(brief), told)
  })

const doubts: readonly (readonly [text: string, told: string])[] = [
  ['topic read', '1:7 this allows to read and write the topic "read": is a filter missing? | found read'],
  [
    'topic dev/%c',
    '1:7 %u and %c mean something in pattern lines only; here they stand for themselves | found dev/%c',
  ],
  [
    'topic read $share/lab/a/#',
    '1:12 no topic begins like this: of a shared subscription write what follows its name | found $share/lab/a/# | try a/#',
  ],
  ['group lab\ntopic a', '1:7 nobody is in the group lab | found lab | try group lab: USER USER …'],
  [
    '# nothing',
    '0:0 no line of this file lets anybody do anything, so clients may neither publish nor subscribe | try write what they may do, or take the file away: then they may do everything',
  ],
]
for (const [text, told] of doubts)
  test(`"${text.replaceAll('\n', ' / ')}" is allowed, with a warning`, async (context) => {
    const { problems, warnings } = await readAcl(context, text)
    assert.deepEqual([problems, warnings.map(brief)], [[], [told]])
  })

test('every mistake is told at once, and the lines without one are kept', async (context) => {
  const { list, problems } = await readAcl(context, 'topic a\ntopc b\nuser x\ntopic rd c\ntopic d')
  assert.deepEqual(
    problems.map(({ place }) => place.line),
    [2, 4],
  )
  assert.deepEqual(
    list?.lines.map(({ filter }) => filter),
    ['a', 'd'],
  )
})

test('as many lines as the bound are read, and one more is a mistake, told once', async (context) => {
  const text = 'topic a\n'.repeat(limits.aclLinesMax)
  assert.equal((await readAcl(context, text)).list?.lines.length, limits.aclLinesMax)
  const { problems } = await readAcl(context, `${text}topic b\ntopic c\n`)
  assert.deepEqual(problems.map(brief), ['10001:1 there are too many lines | expected at most 10000'])
})

test('a file of as many bytes as the bound is read, and one with more is refused', async (context) => {
  const text = `topic a\n${'#'.repeat(limits.aclBytesMax - 8)}`
  assert.deepEqual((await readAcl(context, text)).problems, [])
  assert.deepEqual((await readAcl(context, `${text}#`)).problems.map(brief), [
    '0:0 the file is too large | found 1048577 bytes | expected at most 1048576 bytes',
  ])
})

test('random text is read or refused, and never throws', async (context) => {
  const words = [
    'user',
    'group',
    'topic',
    'pattern',
    'read',
    'deny',
    ':',
    '#',
    '+',
    '$rules',
    '%u',
    '\t',
    '\0',
    'a/b',
    '\n',
    ' ',
  ]
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: 40 }, (_, at) => words[(round * 31 + at * at * 7) % words.length]).join(
      ' ',
    )
    await readAcl(context, text)
  }
  assert.equal((await readAcl(context, Buffer.from([0xff, 0xfe, 0x00]))).problems.length, 1)
})

test('without the file everything is allowed; with it the list is in the settings, is watched, and holds for the main listener', async (context) => {
  const { settings } = await settingsOf({ yaml: '' })
  assert.equal(settings.acl, undefined)
  assert.ok(settings.files.some((file) => file.endsWith('/config/acl')))
  const folder = await tempFolder(context)
  await mkdir(join(folder, 'config'))
  await writeFile(join(folder, 'config/damselfly.yaml'), '')
  await writeFile(join(folder, 'config/acl'), 'topic a\n')
  const told = spawnSync(process.execPath, [join(root, 'dist/main.js'), 'acl', 'test', '-', 'b', 'write'], {
    cwd: folder,
    encoding: 'utf8',
  })
  assert.deepEqual([told.stdout, told.status], ['no: no line of config/acl allows it\n', 1])
})

test('who may not read the file is named', { skip: missing('root') }, async (context) => {
  const folder = await tempFolder(context)
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'config'), { mode: 0o755 })
  await writeFile(join(folder, 'config/damselfly.yaml'), '')
  await writeFile(join(folder, 'config/acl'), 'topic a\n', { mode: 0o600 })
  const { stderr, status } = spawnSync(process.execPath, [join(root, 'dist/main.js'), 'check'], {
    cwd: folder,
    uid: 65_534,
    gid: 65_534,
    encoding: 'utf8',
  })
  assert.match(stderr, /^config\/acl: the user nobody may not read this file$/m)
  assert.equal(status, 2)
})

test('a user whom no line names is doubted, MQTT_USERNAME among them', async () => {
  const sha512 = passwordHashText(oldHash('secret'))
  const users = `joe:${sha512}\nmeter:${sha512}\nann:${sha512}\n`
  const env = 'MQTT_USERNAME=house\nMQTT_PASSWORD=x'
  const doubtsOf = async (acl: string) => {
    const files = { 'config/users': users, 'config/acl': acl }
    const { warnings } = await settingsOf({ yaml: '', env, files })
    return warnings.map(({ message }) => message).filter((message) => message.includes('may do nothing'))
  }
  assert.deepEqual(await doubtsOf('group meters: meter\ntopic write energy/#\nuser ann\ntopic deny #'), [
    'house may do nothing: no line of config/acl names it',
    'joe may do nothing: no line of config/acl names it',
  ])
  assert.deepEqual(await doubtsOf('user ann\ntopic a\npattern readwrite homes/%u/#'), [])
  assert.equal((await doubtsOf('pattern deny secret/#\nuser ann\ntopic a')).length, 3)
})
