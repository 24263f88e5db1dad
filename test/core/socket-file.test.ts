import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, lstat, mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { listenAt, pathProblem } from '#src/core/socket-file.js'
import { tempFolder } from '../support/temp-folder.js'

function serverOf(context: TestContext): Server {
  const server = createServer((socket) => socket.destroy())
  context.after(() => server.close())
  return server
}

const refused = (code: string) => (error: unknown) => (error as { code?: string }).code === code

test('the socket is for its user and its group, whatever the umask is, and nothing else is left behind', async (context) => {
  for (const umask of [0, 0o077, 0o177]) {
    const folder = await tempFolder(context)
    const before = process.umask(umask)
    try {
      await listenAt(serverOf(context), join(folder, 'control.sock'))
    } finally {
      process.umask(before)
    }
    assert.deepEqual(await readdir(folder), ['control.sock'])
    assert.equal((await lstat(join(folder, 'control.sock'))).mode & 0o777, 0o660, umask.toString(8))
  }
})

test('the socket of a process that was killed is replaced', async (context) => {
  const path = join(await tempFolder(context), 'control.sock')
  const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`
  const child = spawn(process.execPath, ['-e', code])
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const { ino } = await lstat(path)
  await listenAt(serverOf(context), path)
  assert.notEqual((await lstat(path)).ino, ino)
})

test('one on which somebody listens is left alone', async (context) => {
  const path = join(await tempFolder(context), 'control.sock')
  const remove = await listenAt(serverOf(context), path)
  const { ino } = await lstat(path)
  await assert.rejects(listenAt(serverOf(context), path), refused('ADDRESS_IN_USE'))
  assert.equal((await lstat(path)).ino, ino)
  await remove()
})

test('a file or a folder in its place is left alone', async (context) => {
  const folder = await tempFolder(context)
  await writeFile(join(folder, 'file'), 'mine')
  await mkdir(join(folder, 'folder'))
  for (const name of ['file', 'folder'])
    await assert.rejects(listenAt(serverOf(context), join(folder, name)), refused('ADDRESS_UNAVAILABLE'))
  assert.deepEqual(await readdir(folder), ['file', 'folder'])
})

test('a folder that cannot be written to, or is not there, is an error of the file system', async (context) => {
  const folder = await tempFolder(context)
  await assert.rejects(listenAt(serverOf(context), join(folder, 'none/control.sock')), refused('ENOENT'))
})

test('a path of 107 bytes does, one of 108 does not', async (context) => {
  const folder = await tempFolder(context)
  const deep = join(folder, 'x'.repeat(107 - folder.length - 2 - 's'.length - '/control.soc'.length))
  await mkdir(deep)
  await chmod(deep, 0o700)
  const path = join(deep, 'control.sock')
  assert.equal(Buffer.byteLength(path), 106)
  assert.equal(pathProblem(`${path}x`), undefined)
  await listenAt(serverOf(context), `${path}x`)
  await assert.rejects(listenAt(serverOf(context), `${path}xx`), refused('ADDRESS_UNAVAILABLE'))
  assert.match(pathProblem(`${path}xx`) ?? '', /has 108 bytes.*at most 107.*DATA_DIR/)
})

test('at the end only the own socket is removed', async (context) => {
  const folder = await tempFolder(context)
  const path = join(folder, 'control.sock')
  const remove = await listenAt(serverOf(context), path)
  await remove()
  assert.deepEqual(await readdir(folder), [])

  const removeAgain = await listenAt(serverOf(context), path)
  await rename(path, join(folder, 'elsewhere'))
  await writeFile(path, 'not a socket')
  await removeAgain()
  assert.deepEqual((await readdir(folder)).sort(), ['control.sock', 'elsewhere'])
})
