import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { type MosquittoConf, readMosquittoConf, type Section } from '#src/moving/mosquitto-conf.js'
import { tempFolder } from '../support/temp-folder.js'

async function read(context: TestContext, files: Record<string, string>): Promise<MosquittoConf> {
  const folder = await tempFolder(context)
  await mkdir(join(folder, 'conf.d'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return await readMosquittoConf(join(folder, 'mosquitto.conf'))
}

const said = ({ head, statements }: Section): string[] =>
  [head, ...statements].map((statement) =>
    statement === undefined ? 'none' : `${statement.name}=${statement.value}`,
  )

test('comments, blank lines and line ends of Windows say nothing', async (context) => {
  const conf = await read(context, {
    'mosquitto.conf': '# comment\r\n\r\n  persistence true\r\n#port 1\nlistener 1883\n',
  })
  assert.deepEqual(
    conf.statements.map(({ name, value, place: { line, column } }) => [name, value, line, column]),
    [
      ['persistence', 'true', 3, 3],
      ['listener', '1883', 5, 1],
    ],
  )
})

test('a path goes to the end of its line, and of a flag only the first word counts', async (context) => {
  const conf = await read(context, {
    'mosquitto.conf': 'password_file   /srv/my files/pw # not a comment \nallow_anonymous true # so\n',
  })
  assert.deepEqual(
    conf.general.map(({ value }) => value),
    ['/srv/my files/pw # not a comment', 'true'],
  )
})

test('options belong to the listener or the bridge above them, and security to all', async (context) => {
  const conf = await read(context, {
    'mosquitto.conf':
      'listener 1883\nmax_connections 5\nacl_file a\nlistener 8883\ncertfile c\nconnection one\ntopic # in\nconnection two\naddress h\nkeyfile k\n',
  })
  assert.deepEqual(conf.listeners.map(said), [
    ['listener=1883', 'max_connections=5'],
    ['listener=8883', 'certfile=c', 'keyfile=k'],
  ])
  assert.deepEqual(conf.bridges.map(said), [
    ['connection=one', 'topic=# in'],
    ['connection=two', 'address=h'],
  ])
  assert.deepEqual(
    conf.general.map(({ name }) => name),
    ['acl_file'],
  )
})

test('with per_listener_settings security belongs to the listener above it', async (context) => {
  const conf = await read(context, {
    'mosquitto.conf':
      'per_listener_settings true\nlistener 1883\npassword_file one\nlistener 1884\npassword_file two\n',
  })
  assert.deepEqual(conf.listeners.map(said), [
    ['listener=1883', 'password_file=one'],
    ['listener=1884', 'password_file=two'],
  ])
})

test('included files come in the order of mosquitto, and each begins without a listener', async (context) => {
  const file = (name: string) => `auto_id_prefix ${name}\n`
  const conf = await read(context, {
    'mosquitto.conf': 'listener 1883\ninclude_dir conf.d\nmax_connections 3\n',
    'conf.d/b.conf': file('b'),
    'conf.d/B.conf': file('B'),
    'conf.d/a.conf': `${file('a')}max_connections 7\n`,
    'conf.d/A.conf': file('A'),
    'conf.d/00.conf': file('00'),
    'conf.d/README': 'nothing',
    'conf.d/x.conf.bak': 'nothing',
  })
  assert.deepEqual(
    conf.general.map(({ value }) => value),
    ['00', 'A', 'a', 'B', 'b'],
  )
  assert.deepEqual(conf.listeners.map(said), [
    ['none', 'max_connections=7'],
    ['listener=1883', 'max_connections=3'],
  ])
})

test('a file that is not there, or too large, is told by its name', async (context) => {
  const large = (bytes: number) => ({ 'mosquitto.conf': `#${'x'.repeat(bytes - 1)}` })
  await read(context, large(limits.configBytesMax))
  await assert.rejects(read(context, large(limits.configBytesMax + 1)), /mosquitto\.conf is larger than/)
  await assert.rejects(readMosquittoConf('/nowhere/mosquitto.conf'), { code: 'CONFIG_INVALID' })
  await assert.rejects(
    read(context, { 'mosquitto.conf': 'include_dir /nowhere\n' }),
    /\/nowhere cannot be read/,
  )
})

test('of more lines than there may be nothing is read', async (context) => {
  const lines = (count: number) => ({ 'mosquitto.conf': 'port 1\n'.repeat(count) })
  const many = limits.configNodesMax
  const file = Math.floor(limits.configBytesMax / 7)
  const conf = await read(context, lines(file))
  assert.equal(conf.statements.length, file)
  const parts = Math.floor(many / file)
  const files = Object.fromEntries(
    Array.from({ length: parts + 1 }, (_, index) => [`conf.d/${index}.conf`, 'port 1\n'.repeat(file)]),
  )
  await assert.rejects(read(context, { ...files, 'mosquitto.conf': 'include_dir conf.d\n' }), /more than/)
})
