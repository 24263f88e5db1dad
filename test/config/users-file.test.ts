import assert from 'node:assert/strict'
import { chmod, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, type TestContext, test } from 'node:test'
import { ProblemList } from '#src/config/problem-list.js'
import { readUsersFile } from '#src/config/users-file.js'
import type { User } from '#src/core/access.js'
import { setLimits } from '#src/core/limits.js'
import { passwordHashText } from '#src/core/password-hash.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { argon2Hashes, oldHash, userOf } from '../support/users.js'

afterEach(() => setLimits({}))

const pbkdf2 = passwordHashText(userOf('x', 'secret').password)
const sha512 = passwordHashText(oldHash('secret'))

async function read(context: TestContext, content: string | Uint8Array, mode = 0o640) {
  const path = join(await tempFolder(context), 'users')
  await writeFile(path, content, { mode })
  await chmod(path, mode)
  const problems = new ProblemList()
  const warnings = new ProblemList()
  const users = (await readUsersFile(path, 'users', problems, warnings)) as readonly User[]
  return { users, problems: problems.sorted(), warnings: warnings.sorted() }
}

test('all forms of mosquitto are read, with its comments, blank lines and spaces around names', async (context) => {
  const text = `# of the house\r\n\r\njoe:${pbkdf2}\njim: ${sha512} \n kitchen lamp :${argon2Hashes[0]}\nünal/+#:${argon2Hashes[1]}`
  const { users, problems, warnings } = await read(context, text)
  assert.deepEqual([problems, warnings], [[], []])
  assert.deepEqual(
    users.map(({ name, password }) => [name, passwordHashText(password)]),
    [
      ['joe', pbkdf2],
      ['jim', sha512],
      ['kitchen lamp', argon2Hashes[0]],
      ['ünal/+#', argon2Hashes[1]],
    ],
  )
})

test('a file of comments has no users, and one that is empty or not there is undefined', async (context) => {
  assert.deepEqual((await read(context, '# nobody\n')).users, [])
  assert.equal((await read(context, ' \n')).users, undefined)
  const problems = new ProblemList()
  assert.equal(await readUsersFile('/nowhere/users', 'users', problems, problems), undefined)
  assert.equal(problems.count, 0)
})

const forms = 'expected $7$…, $6$… or $argon2id$…, as mosquitto_passwd and damselfly user write it'
const damaged = 'the hash is cut off or damaged'
const form7 = 'expected $7$ITERATIONS$SALT$HASH, salt and hash in base64 | try damselfly user passwd joe'
const mistakes: readonly (readonly [line: string, problem: string])[] = [
  ['joe:secret', `1:5 joe: the password is not hashed | ${forms} | try damselfly user -U users`],
  ['joe:', `1:5 joe: the password is not hashed | ${forms} | try damselfly user passwd joe`],
  [`:${pbkdf2}`, '1:1 the user has no name | expected NAME:HASH'],
  ['  secret', '1:1 this line names no user | expected NAME:HASH, or # before a comment'],
  [
    `$rules:${pbkdf2}`,
    '1:1 names with $ at the beginning are those of our own rules and pins | expected another name',
  ],
  [
    `a:b:${pbkdf2}`,
    `1:3 a: the password is not hashed | ${forms} | try no : in a name; the first one ends it`,
  ],
  [
    `j\toe:${pbkdf2}`,
    '1:1 the name cannot stand in the file | expected no # at the beginning, no spaces around it, no control characters',
  ],
  [
    'joe:$2b$12$abcdefghijklmnopqrstuv',
    `1:5 joe: the password is kept in a way that is not known here | ${forms} | try damselfly user passwd joe`,
  ],
  [`joe:${pbkdf2.slice(0, -9)}`, `1:5 joe: ${damaged} | ${form7}`],
  ['joe:$7$101$c2FsdA==', `1:5 joe: ${damaged} | ${form7}`],
  [`joe:${pbkdf2.replace('$101$', '$0$')}`, `1:5 joe: ${damaged} | ${form7}`],
  [`joe:${pbkdf2.replace('$101$', '$-1$')}`, `1:5 joe: ${damaged} | ${form7}`],
  [
    'joe:$6$c2FsdA==$not base64',
    `1:5 joe: ${damaged} | expected $6$SALT$HASH, both in base64 | try damselfly user passwd joe`,
  ],
  [
    `joe:${argon2Hashes[0].replace('v=19', 'v=16')}`,
    `1:5 joe: ${damaged} | expected $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH, salt and hash in base64 without = | try damselfly user passwd joe`,
  ],
]
for (const [line, problem] of mistakes)
  test(`a mistake is told, and nothing that is secret: ${problem.split(' | ')[0]}`, async (context) => {
    const { users, problems } = await read(context, `${line}\njim:${sha512}\n`)
    assert.deepEqual(problems.map(brief), [problem])
    assert.deepEqual(
      users.map(({ name }) => name),
      ['jim'],
    )
    const told = JSON.stringify(problems)
    for (const secret of ['secret', pbkdf2.slice(10, 40), sha512.slice(10, 40)])
      assert.ok(!told.includes(secret), `no ${secret}`)
  })

test('a name that is there twice is a mistake that says where, and its first line counts', async (context) => {
  const { users, problems } = await read(context, `joe:${sha512}\njim:${sha512}\n joe:${pbkdf2}\n`)
  assert.deepEqual(problems.map(brief), ['3:2 joe is there twice: in line 1 as well'])
  assert.deepEqual(
    users.map(({ password }) => password.kind),
    ['sha512', 'sha512'],
  )
})

test('a file that everybody can read, or others can write, gets a warning', async (context) => {
  for (const [mode, warning] of [
    [0o600, undefined],
    [0o640, undefined],
    [0o644, /everybody on this machine can read/],
    [0o660, /others than its owner can write/],
  ] as const) {
    const { problems, warnings } = await read(context, `joe:${sha512}`, mode)
    assert.equal(problems.length, 0)
    if (warning === undefined) assert.deepEqual(warnings, [])
    else assert.match(warnings.map(brief).join(), warning)
  }
})

test('as many users as usersMax are read, and one more is a mistake', async (context) => {
  setLimits({ usersMax: 2 })
  const line = (name: string) => `${name}:${sha512}\n`
  assert.deepEqual((await read(context, line('a') + line('b'))).problems, [])
  const { problems } = await read(context, line('a') + line('b') + line('c') + line('d'))
  assert.deepEqual(problems.map(brief), ['3:1 there are too many users | expected at most 2'])
})

test('a file of usersBytesMax bytes is read, and a larger one is a mistake', async (context) => {
  const text = `joe:${sha512}\n`
  setLimits({ usersBytesMax: text.length })
  assert.deepEqual((await read(context, text)).problems, [])
  const { users, problems } = await read(context, `${text}\n`)
  assert.match(problems.map(brief).join(), /the file is too large/)
  assert.deepEqual(users, [])
})

const costs = [
  ['passwordIterationsMax', 101, pbkdf2, /too long to verify: 101 iterations/],
  ['passwordPassesMax', 2, argon2Hashes[0], /too long to verify: t=2/],
  ['passwordMemoryBytesMax', 65_536 * 1_024, argon2Hashes[0], /too much memory to verify: m=65536/],
] as const
for (const [limit, value, hash, message] of costs)
  test(`a hash that takes as much as ${limit} to verify is taken, and one that takes more is a mistake`, async (context) => {
    setLimits({ [limit]: value })
    assert.deepEqual((await read(context, `joe:${hash}`)).problems, [])
    setLimits({ [limit]: value - 1 })
    assert.match((await read(context, `joe:${hash}`)).problems.map(brief).join(), message)
  })

test('users are settings: of the main listener, watched, and a mistake among them is one of the configuration', async () => {
  const { settings } = await settingsOf({ yaml: '', files: { 'config/users': `joe:${sha512}` } })
  assert.deepEqual(
    settings.users.map(({ name }) => name),
    ['joe'],
  )
  assert.equal(settings.listeners[0]?.users, settings.users)
  assert.ok(settings.files.includes(join(settings.configDir, 'users')))
  const problems = await problemsOf({ yaml: '', files: { 'config/users': '\njoe:secret' } })
  assert.deepEqual(
    problems.map(({ place }) => place),
    [{ file: 'config/users', line: 2, column: 5 }],
  )
})

test('the name of .env in the file too is a doubt, and with users ALLOW_ANONYMOUS=false is none', async () => {
  const files = { 'config/users': `joe:${sha512}` }
  const twice = await settingsOf({ yaml: '', env: 'MQTT_USERNAME=joe\nMQTT_PASSWORD=x', files })
  assert.match(twice.warnings.map(brief).join(), /joe stands here and in \.env/)
  const alone = await settingsOf({ yaml: '', env: 'ALLOW_ANONYMOUS=false', files })
  assert.deepEqual(alone.warnings, [])
})

test('a file that may not be read says which user could not read it, and what lets him', {
  skip: missing('root'),
}, async (context) => {
  const folder = await tempFolder(context)
  const path = join(folder, 'users')
  await writeFile(path, 'joe:x', { mode: 0o600 })
  const asNobody = async () => {
    const problems = new ProblemList()
    process.seteuid?.('nobody')
    try {
      await readUsersFile(path, 'config/users', problems, problems)
    } finally {
      process.seteuid?.(0)
    }
    return problems.sorted().map(brief)
  }
  await chmod(folder, 0o755)
  assert.deepEqual(await asNobody(), [
    `0:0 the user nobody may not read this file | try sudo chown nobody ${path} && sudo chmod 640 ${path}`,
  ])
  await chmod(path, 0o640)
  await chown(path, 0, 1)
  assert.deepEqual(await asNobody(), [
    `0:0 the user nobody may not read this file | try use sudo, or let nobody join the group of the file: sudo usermod -aG "$(stat -c %G ${path})" nobody`,
  ])
  await chmod(folder, 0o700)
  assert.deepEqual(await asNobody(), [
    `0:0 the user nobody may not look into the folder of this file | try let nobody into ${folder}: sudo chown nobody ${folder}`,
  ])
})
