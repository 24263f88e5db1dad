import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { packaging, root } from './support.js'

async function makeFolder(files: Readonly<Record<string, string>> = {}) {
  const path = await mkdtemp(join(tmpdir(), 'damselfly-packaging-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

const needs = {
  needed: new Set(['libc.so.6', 'libstdc++.so.6', 'libgcc_s.so.1', 'ld-linux-aarch64.so.1']),
  versions: new Set(['GLIBC_2.9', 'GLIBC_2.28', 'GLIBCXX_3.4.21', 'GCC_3.0']),
}

test('the control file names Node, the libraries and their versions, and who answers for it', () => {
  const text = packaging.controlText({
    version: '0.5.0-beta.1',
    node: '20.19',
    arch: 'arm64',
    kibibytes: 7,
    needs,
  })
  const depends =
    'nodejs (>= 20.19), libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 5), systemd | systemd-standalone-sysusers | systemd-sysusers'
  for (const line of [
    'Package: damselfly',
    'Version: 0.5.0~beta.1',
    'Architecture: arm64',
    'Installed-Size: 7',
    `Depends: ${depends}`,
  ])
    assert.ok(text.split('\n').includes(line), `${line} in\n${text}`)
  assert.match(text, /^Maintainer: .+ <.+@.+>$/m)
  const [, description = ''] = text.split(/^Description: .+\n/m)
  for (const line of description.trimEnd().split('\n')) assert.match(line, /^ (\.|\S.{0,78})$/)
})

test('a native module that needs a library of no known package ends the build', () => {
  const odd = { ...needs, needed: new Set(['libavahi-client.so.3']) }
  assert.throws(
    () => packaging.controlText({ version: '1.0.0', node: '20.19', arch: 'amd64', kibibytes: 7, needs: odd }),
    /libavahi-client\.so\.3/,
  )
})

test('what Node the package wants is what package.json wants', () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    engines: { node: string }
  }
  assert.match(engines.node, /^>=\d+\.\d+$/)
})

test('the changelog has the items of its version and of no other, in lines that dpkg reads', () => {
  const markdown =
    '# Changelog\n\n## 1.1.0\n\n- later\n\n## 1.0.0\n\nWords.\n\n- **first** thing\n  goes on\n- second\n'
  const text = packaging.debianChangelog(markdown, '1.0.0', 'A B <a@b.c>', 86_400)
  assert.equal(
    text,
    'damselfly (1.0.0) unstable; urgency=medium\n\n  * **first** thing goes on\n  * second\n\n -- A B <a@b.c>  Fri, 02 Jan 1970 00:00:00 +0000\n',
  )
  assert.throws(() => packaging.debianChangelog(markdown, '2.0.0', 'A B <a@b.c>', 0), /no entry for 2\.0\.0/)
})

test('the unit of the package is the one of service install, but for who has put it there', () => {
  const own = readFileSync(join(root, 'systemd/damselfly.service'), 'utf8').split('\n')
  const packaged = packaging.unitText(root).split('\n')
  assert.deepEqual(packaged.slice(1), own.slice(1))
  assert.match(packaged[0] ?? '', /Debian package/)
})

test('a licence that is not known, or whose text is missing, ends the build and is named', async () => {
  const mit = readFileSync(join(root, 'LICENSE'), 'utf8')
  await using good = await makeFolder({
    'good/package.json': '{"name":"good","version":"1.0.0","license":"MIT"}',
    'good/LICENSE': mit.replace('the Damselfly authors', 'Ada'),
    'good/deps/other/LICENSE': mit.replace('the Damselfly authors', 'Grace'),
  })
  const licences = packaging.readLicences(good.path)
  assert.deepEqual(licences[0]?.holders, ['2026 Ada', '2026 Grace'])
  const text = packaging.copyrightText(packaging.ownLicence(root), licences)
  assert.match(text, /^Files: node_modules\/good\/\*\nCopyright: 2026 Ada\n 2026 Grace\nLicense: Expat$/m)
  assert.equal(text.match(/^License: Expat\n Permission is hereby granted/gm)?.length, 1)

  await using odd = await makeFolder({
    'odd/package.json': '{"name":"odd","version":"1.0.0","license":"SSPL-1.0"}',
    'odd/LICENSE': 'Server Side Public License',
    'bare/package.json': '{"name":"bare","version":"1.0.0","license":"MIT"}',
    'false/package.json': '{"name":"false","version":"1.0.0","license":"MIT"}',
    'false/LICENSE': 'All rights reserved.',
  })
  assert.throws(
    () => packaging.readLicences(odd.path),
    (error: Error) => ['odd', 'bare', 'false'].every((name) => error.message.includes(`${name}: no text`)),
  )
})

test('every package that Damselfly needs has a licence that is known', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  const isNeeded = (folder: string) => packages[`node_modules/${folder}`]?.dev !== true
  const licences = packaging.readLicences(join(root, 'node_modules'), isNeeded)
  assert.ok(licences.length > 80)
  for (const { path, holders } of licences) assert.ok(holders.length > 0 && holders[0] !== '', path)
})

test('native modules for another machine, or none, end the build', async () => {
  const native = {
    'koffi/koffi.node': '@koromix/koffi-linux-x64/linux_x64/koffi.node',
    'classic-level/classic-level.node': 'classic-level/prebuilds/linux-x64/classic-level.node',
    'libsql/index.node': '@libsql/linux-x64-gnu/index.node',
    'argon2/argon2.linux-x64-gnu.node': '@node-rs/argon2-linux-x64-gnu/argon2.linux-x64-gnu.node',
  }
  await using folder = await makeFolder({ 'koffi/package.json': '{"name":"koffi"}' })
  for (const [to, from] of Object.entries(native)) {
    await mkdir(dirname(join(folder.path, to)), { recursive: true })
    await copyFile(join(root, 'node_modules', from), join(folder.path, to))
  }
  assert.ok(packaging.checkNatives(folder.path, 'amd64').needed.has('libc.so.6'))
  assert.throws(() => packaging.checkNatives(folder.path, 'arm64'), /koffi\.node is for x64/)
  await copyFile(
    join(root, 'node_modules/classic-level/prebuilds/linux-arm64/classic-level.armv8.node'),
    join(folder.path, 'classic-level/classic-level.armv8.node'),
  )
  assert.throws(() => packaging.checkNatives(folder.path, 'amd64'), /armv8\.node is for arm64/)
  packaging.prune(folder.path, 'amd64')
  assert.ok(packaging.checkNatives(folder.path, 'amd64'))
  await rm(join(folder.path, 'libsql'), { recursive: true })
  assert.throws(() => packaging.checkNatives(folder.path, 'amd64'), /libsql: 0 native modules/)
})

test('pruning leaves code, and no sources, texts or programs', async () => {
  await using folder = await makeFolder({
    'a/package.json': '{"name":"a","main":"index.js","bin":{"a":"./bin.js"}}',
    'a/index.js': '',
    'a/index.d.ts': '',
    'a/index.js.map': '',
    'a/bin.js': '#!/usr/bin/env node',
    'a/README.md': '',
    'a/LICENSE': '',
    'a/test/index.js': '',
    'a/lib/test/index.js': '',
    '@types/a/package.json': '{"name":"@types/a","types":"index.d.ts","main":""}',
    '@types/a/index.d.ts': '',
  })
  packaging.prune(folder.path, 'amd64')
  const left = (await readdir(folder.path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.path.length + 1))
  assert.deepEqual(left.sort(), ['a/index.js', 'a/lib/test/index.js', 'a/package.json'])
})

test('the maintainer scripts are scripts of a plain shell', async () => {
  for (const name of await readdir(join(root, 'packaging/scripts'))) {
    const file = join(root, 'packaging/scripts', name)
    assert.match(readFileSync(file, 'utf8'), /^#!\/bin\/sh\n[\s\S]*^set -e$/m, name)
    execFileSync('sh', ['-n', file])
  }
})

test('what a service begins with has no mistake, moves no pin, and lets nobody of the LAN in', async () => {
  const file = (name: string) => readFileSync(join(root, 'systemd/etc', name), 'utf8')
  await using folder = await makeFolder({
    '.env': file('env'),
    'damselfly.yaml': file('damselfly.yaml'),
    users: file('users'),
    acl: file('acl'),
  })
  const run = async (...argv: string[]) => {
    const env = { ...process.env, CONFIG_DIR: '.' }
    const command = [join(root, 'dist/main.js'), ...argv]
    return await promisify(execFile)(process.execPath, command, { cwd: folder.path, env })
  }
  assert.match((await run('check')).stdout, /no mistake; 1 rule, 0 pins/)
  assert.match((await run('acl', 'test', '-', 'any/topic', 'write')).stdout, /^yes/)
  assert.match((await run('acl', 'test', 'ada', '$SYS/broker/uptime', 'read')).stdout, /^yes/)
  assert.equal((await run('user', 'list')).stdout, '')
  // and with the # taken away
  const yaml = file('damselfly.yaml')
    .replace(/^#pins:/m, 'pins:')
    .replaceAll(/^#( {2}(lamp|button):)/gm, '$1')
    .replaceAll(/^ {2}#(- | {2}\w)/gm, '  $1')
  await writeFile(join(folder.path, 'damselfly.yaml'), yaml)
  assert.match((await run('check')).stdout, /no mistake; 3 rules, 2 pins/)
})
