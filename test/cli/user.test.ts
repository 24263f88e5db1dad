import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ProblemList } from '#src/config/problem-list.js'
import { readUsersFile } from '#src/config/users-file.js'
import { brokerWorld } from '../support/broker.js'
import { runCommand } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

async function house(context: TestContext, files: Readonly<Record<string, string>> = {}) {
  const folder = await tempFolder(context)
  await mkdir(join(folder, 'config'))
  for (const [name, text] of Object.entries({ '.env': '', 'config/damselfly.yaml': '', ...files }))
    await writeFile(join(folder, name), text, { mode: 0o640 })
  const run = (argv: readonly string[], input = '') => runCommand(folder, ['user', ...argv], { input })
  const text = () => readFile(join(folder, 'config/users'), 'utf8')
  return { folder, run, text }
}

const hashed = /^\w+:\$7\$20000\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==$/

test('users are added, listed, renewed and removed; comments and other lines stay as they are', async (context) => {
  const kept =
    '# of the house\n\nold:$6$c2FsdA==$7bpVMCn3hrN6UZFgJbRqXjuuRP6AF1vI/5bq4dtlUO/VQpqLDzb3fStFhOyS9ZcVP5ycHtXbrmQkMTV6n8W1Dg==\n'
  const { run, text } = await house(context, { 'config/users': kept })
  const added = await run(['add', 'joe'], 'secret\n')
  assert.equal(added.code, 0)
  assert.equal(added.stdout, 'config/users: added joe\na running Damselfly sees it by itself\n')
  assert.match((await text()).slice(kept.length).trimEnd(), hashed)
  assert.equal((await text()).slice(0, kept.length), kept)
  assert.match(
    (await run(['list'])).stdout,
    /^old {2}SHA-512 once: weak.*\njoe {2}PBKDF2-SHA512, 20,000 iterations\n$/,
  )
  const before = await text()
  assert.equal((await run(['passwd', '-b', 'joe', 'other'])).code, 0)
  assert.notEqual(await text(), before)
  assert.match((await text()).slice(kept.length).trimEnd(), hashed)
  assert.deepEqual(JSON.parse((await run(['list', '--json'])).stdout), [
    { name: 'old', password: 'sha512' },
    { name: 'joe', password: 'pbkdf2-sha512' },
  ])
  assert.equal((await run(['rm', 'joe'])).code, 0)
  assert.equal(await text(), kept)
})

const refusals: readonly (readonly [argv: readonly string[], input: string, words: RegExp])[] = [
  [['add', 'joe'], 'x', /joe is there already; a new password: damselfly user passwd joe/],
  [['add', 'house'], 'x', /house is MQTT_USERNAME in \.env/],
  [['add', '$rules'], 'x', /names with \$ at the beginning/],
  [['add', 'a:b'], 'x', /there is a : in the name/],
  [['add', ''], 'x', /the user has no name/],
  [['add', 'jim'], '', /the password is empty/],
  [['add', 'jim'], 'one\ntwo\n', /the two passwords are not the same/],
  [['add', 'jim', 'secret'], '', /everybody on this machine can see/],
  [['add', '-b', 'jim'], '', /-b wants the password/],
  [['passwd', 'jo'], 'x', /no user jo in .*; did you mean joe\?/],
  [['passwd', 'house'], 'x', /MQTT_USERNAME in \.env/],
  [['rm', 'nobody'], '', /no user nobody/],
  [[], '', /a command is missing/],
  [['lst'], '', /"lst" is no command.*Did you mean list\?/],
  [['-c', '-D', 'file', 'joe'], '', /-c and -D/],
  [['-b', 'config/other', 'joe', 'x'], '', /there is no file config\/other; -c makes it/],
  [['-D', 'config/users', 'jo'], '', /no user jo .*did you mean joe/],
  [['-H', 'md5', '-b', 'config/users', 'joe', 'x'], '', /-H is sha512-pbkdf2/],
]
test('what cannot be done changes nothing and says why', async (context) => {
  const users = `joe:$6$c2FsdA==$${Buffer.alloc(64).toString('base64')}\n`
  const { run, text } = await house(context, {
    '.env': 'MQTT_USERNAME=house\nMQTT_PASSWORD=x',
    'config/users': users,
  })
  for (const [argv, input, words] of refusals) {
    const { code, stderr } = await run(argv, input)
    assert.match(stderr, words)
    assert.equal(code, 2, argv.join(' '))
  }
  assert.equal(await text(), users)
})

test('a name that an access control list cannot take for %u is added with a warning', async (context) => {
  const { run, text } = await house(context)
  const { code, stderr } = await run(['add', 'a/b'], 'x')
  assert.equal(code, 0)
  assert.match(stderr, /%u .*a\/b/)
  assert.match(await text(), /^a\/b:/)
  assert.doesNotMatch((await run(['add', 'ab'], 'x')).stderr, /%u/)
})

test('a file with a mistake can be put right, and what is still wrong in it is told', async (context) => {
  const { run } = await house(context, { 'config/users': 'joe:secret\njim:$7$cut\n' })
  assert.equal((await run(['list'])).code, 2)
  const first = await run(['passwd', '-b', 'joe', 'x'])
  assert.match(
    first.stderr,
    /keeps the users it has until the file is right[\s\S]*config\/users:2:5: jim: the hash is cut/,
  )
  assert.equal(first.code, 2)
  const second = await run(['passwd', '-b', 'jim', 'x'])
  assert.deepEqual([second.code, second.stderr], [0, ''])
  assert.equal((await run(['list'])).code, 0)
})

test('a new file is for its owner and his group; one that is there keeps owner, group, mode and its link', {
  skip: missing('root'),
}, async (context) => {
  const { folder, run } = await house(context)
  const path = join(folder, 'config/users')
  await chown(join(folder, 'config'), 4321, 1234)
  await run(['add', '-b', 'joe', 'x'])
  const about = async () => {
    const { mode, uid, gid } = await stat(path)
    return [mode & 0o7777, uid, gid]
  }
  assert.deepEqual(await about(), [0o640, 4321, 1234])
  await chmod(path, 0o600)
  await chown(path, 12, 34)
  await run(['add', '-b', 'jim', 'x'])
  assert.deepEqual(await about(), [0o600, 12, 34])
  await symlink(path, join(folder, 'link'))
  await run(['-b', join(folder, 'link'), 'ann', 'x'])
  assert.deepEqual(await about(), [0o600, 12, 34])
  assert.match(await readFile(path, 'utf8'), /^joe:.*\njim:.*\nann:.*\n$/)
})

test('users that are added at the same time are all there', async (context) => {
  const { run, text } = await house(context)
  const names = ['a', 'b', 'c', 'd']
  await Promise.all(names.map((name) => run(['add', '-b', name, 'x'])))
  assert.deepEqual(
    (await text())
      .split('\n')
      .map((line) => line.split(':')[0])
      .sort(),
    ['', ...names],
  )
})

test('the letters of mosquitto_passwd do to any file what it would', async (context) => {
  const { folder, run } = await house(context)
  const path = join(folder, 'passwd')
  const names = async () => (await readFile(path, 'utf8')).split('\n').map((line) => line.split(':')[0])
  assert.equal((await run(['-c', '-b', path, 'joe', 'secret'])).code, 0)
  assert.equal((await run([path, 'jim'], 'secret\nsecret\n')).code, 0)
  assert.deepEqual(await names(), ['joe', 'jim', ''])
  assert.equal((await run(['-D', path, 'joe'])).code, 0)
  assert.deepEqual(await names(), ['jim', ''])
  assert.match((await run(['-H', 'sha512', '-cb', path, 'ann', 'x'])).stderr, /kept as sha512-pbkdf2/)
  assert.deepEqual(await names(), ['ann', ''])
  const line = (await readFile(path, 'utf8')).trimEnd()
  await writeFile(path, `# plain\njoe:secret\n${line}\njim: a b:c\n`)
  assert.match((await run(['-U', path])).stdout, /2 passwords hashed/)
  const [comment, joe, ann, jim] = (await readFile(path, 'utf8')).split('\n')
  assert.deepEqual([comment, ann], ['# plain', line])
  assert.match(joe as string, hashed)
  assert.match(jim as string, hashed)
})

test('on a terminal the password is asked for twice and not shown', {
  skip: missing('script'),
}, async (context) => {
  const { folder, text } = await house(context)
  const command = new LiveCommand(context, folder, ['user', 'add', 'joe'], { isOnTerminal: true })
  await command.says(/password of joe: /)
  command.type('sexcret\u007f\r')
  await command.says(/once more: /)
  command.type('sexcre\r')
  await command.says(/added joe/)
  assert.equal(await command.end(), 0)
  assert.doesNotMatch(command.stdout + command.stderr, /sexc/)
  assert.match((await text()).trimEnd(), hashed)

  const other = new LiveCommand(context, folder, ['user', 'passwd', 'joe'], { isOnTerminal: true })
  await other.says(/password of joe: /)
  other.type('\u0003')
  await other.says(/nothing was changed/)
  assert.equal(await other.end(), 2)

  const empty = new LiveCommand(context, folder, ['user', 'passwd', 'joe'], { isOnTerminal: true })
  await empty.says(/password of joe: /)
  empty.type('\r')
  await empty.says(/is empty: nothing was changed/)
  assert.equal(await empty.end(), 2)

  const pasted = new LiveCommand(context, folder, ['user', 'passwd', 'joe'], { isOnTerminal: true })
  await pasted.says(/password of joe: /)
  pasted.type('pasted\rpasted\r')
  await pasted.says(/joe has a new password/)
  assert.equal(await pasted.end(), 0)
  assert.doesNotMatch(pasted.stdout + pasted.stderr, /pasted/)
})

const tools = missing('mosquitto', 'mosquitto_pub', 'mosquitto_passwd')

/** Whether mosquitto_pub is let in. */
function publishes(port: number, username: string, password: string): Promise<boolean> {
  const argv = ['-p', `${port}`, '-u', username, '-P', password, '-t', 'a', '-m', 'x', '-q', '1']
  return new Promise((resolve) => {
    execFile('mosquitto_pub', argv, { timeout: 10_000 }, (error) => resolve(error === null))
  })
}

test('mosquitto reads the file that is written here', { skip: tools }, async (context) => {
  const { run, text } = await house(context)
  await run(['add', 'joe'], 'sécret\n')
  await run(['add', 'kitchen lamp'], 'x y:z\n')
  const { port } = await startMosquitto(context, {
    config: 'allow_anonymous false\npassword_file users',
    files: { users: await text() },
  })
  assert.equal(await publishes(port, 'joe', 'sécret'), true)
  assert.equal(await publishes(port, 'kitchen lamp', 'x y:z'), true)
  assert.equal(await publishes(port, 'joe', 'secret'), false)
})

test('the file of mosquitto_passwd is read here', { skip: tools }, async (context) => {
  const path = join(await tempFolder(context), 'users')
  for (const argv of [
    ['-c', '-b', path, 'joe', 'sécret'],
    ['-b', '-H', 'sha512', path, 'old', 'x y:z'],
  ])
    execFileSync('mosquitto_passwd', argv, { stdio: 'ignore' })
  const problems = new ProblemList()
  const users = (await readUsersFile(path, 'users', problems, new ProblemList())) ?? []
  assert.equal(problems.count, 0)
  const { port } = await brokerWorld(context, {
    access: { allowAnonymous: 'nobody', credentials: undefined, users },
  })
  assert.equal(await publishes(port, 'joe', 'sécret'), true)
  assert.equal(await publishes(port, 'old', 'x y:z'), true)
  assert.equal(await publishes(port, 'joe', 'secret'), false)
  assert.equal(await publishes(port, 'old', 'x'), false)
})
