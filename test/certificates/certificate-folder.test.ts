import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { newKey } from '#src/certificates/certificate-files.js'
import { certificates, openssl, wish } from '../support/certificate-folder.js'

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

test('an authority and a server come into being, and openssl finds them right', async (t) => {
  const { it, file } = await certificates(t)
  const { isNewAuthority, before } = await it.init(wish)
  assert.equal(isNewAuthority, true)
  assert.equal(before, undefined)
  for (const name of wish.names.slice(0, 2)) {
    const { isOk, text } = await openssl(
      ...['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', name],
      ...['-crl_check', '-CRLfile', file('ca.crl'), '-CAfile', file('ca.crt'), file('server.crt')],
    )
    assert.ok(isOk, text)
  }
  const byAddress = ['verify', '-verify_ip', '127.0.0.1', '-CAfile', file('ca.crt'), file('server.crt')]
  assert.ok((await openssl(...byAddress)).isOk)
  const other = ['verify', '-verify_hostname', 'other.local', '-CAfile', file('ca.crt'), file('server.crt')]
  assert.equal((await openssl(...other)).isOk, false)
  const asClient = ['verify', '-purpose', 'sslclient', '-CAfile', file('ca.crt'), file('server.crt')]
  assert.equal((await openssl(...asClient)).isOk, false)
  const { text } = await openssl('x509', '-in', file('ca.crt'), '-noout', '-text')
  for (const word of [/CA:TRUE, pathlen:0/, /Certificate Sign, CRL Sign/, /NIST CURVE: P-256/])
    assert.match(text, word)
  assert.doesNotMatch(text, /Name Constraints/)
})

test('the keys are their owner’s alone; the rest may be read', async (t) => {
  const { it, folder, file } = await certificates(t)
  await it.init(wish)
  await it.addClient('kitchen', 30, false)
  const modes = await Promise.all(
    ['', 'ca.key', 'server.key', 'clients', 'clients/kitchen.key', 'ca.crt', 'server.crt', 'ca.crl'].map(
      (name) => modeOf(join(folder, name)),
    ),
  )
  assert.deepEqual(modes, ['750', '600', '600', '700', '600', '644', '644', '644'])
  assert.deepEqual((await readdir(folder)).sort(), [
    'ca.crl',
    'ca.crt',
    'ca.key',
    'clients',
    'server.crt',
    'server.key',
  ])
  assert.ok(file('ca.key').endsWith('certs/ca.key'))
})

test('called again it keeps the authority and the key, and renews the certificate with other names', async (t) => {
  const { it, file } = await certificates(t)
  await it.init(wish)
  const kept = await Promise.all(
    ['ca.crt', 'ca.key', 'server.key'].map((name) => readFile(file(name), 'utf8')),
  )
  const { before, certificate, isNewAuthority } = await it.init({ ...wish, names: ['shed.local'], days: 30 })
  assert.equal(isNewAuthority, false)
  assert.match(before?.subjectAltName ?? '', /house\.local/)
  assert.equal(certificate.subjectAltName, 'DNS:shed.local')
  assert.deepEqual(
    await Promise.all(['ca.crt', 'ca.key', 'server.key'].map((name) => readFile(file(name), 'utf8'))),
    kept,
  )
  const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000
  assert.equal(days, 30)
})

test('what an end in between has left is made good by the next call', async (t) => {
  const { it, file, folder } = await certificates(t)
  await mkdir(folder)
  await writeFile(file('ca.key'), newKey(), { mode: 0o600 })
  const key = await readFile(file('ca.key'), 'utf8')
  await it.init(wish)
  assert.equal(await readFile(file('ca.key'), 'utf8'), key)
  await rm(file('server.crt'))
  await rm(file('ca.crl'))
  await it.init(wish)
  const crl = ['-crl_check', '-CRLfile', file('ca.crl')]
  assert.ok((await openssl('verify', ...crl, '-CAfile', file('ca.crt'), file('server.crt'))).isOk)
})

test('a client is revoked by its name, with all that it had, and others are not', async (t) => {
  const { it, file } = await certificates(t)
  await it.init(wish)
  const first = await it.addClient('kitchen', 30, false)
  await assert.rejects(it.addClient('kitchen', 30, false), { code: 'USAGE' })
  const second = await it.addClient('kitchen', 30, true)
  await it.addClient('attic', 30, false)
  assert.notEqual(first.serialNumber, second.serialNumber)
  assert.equal(await it.revokeClient('kitchen'), 2)
  assert.equal(await it.revokeClient('kitchen'), 0)
  await assert.rejects(it.revokeClient('cellar'), /there is attic, kitchen/)
  const crl = ['-crl_check', '-CRLfile', file('ca.crl'), '-CAfile', file('ca.crt')]
  assert.match((await openssl('verify', ...crl, file('clients/kitchen.crt'))).text, /certificate revoked/)
  assert.ok((await openssl('verify', ...crl, '-purpose', 'sslclient', file('clients/attic.crt'))).isOk)
  const again = await it.addClient('kitchen', 30, false) // revoked: it may have a new one
  const states = (await it.list()).map(({ certificate, revokedAt }) => [
    certificate.subject.split('\n')[0],
    revokedAt !== undefined,
  ])
  assert.equal(states.filter(([, isRevoked]) => isRevoked).length, 2)
  assert.ok((await openssl('verify', ...crl, file('clients/kitchen.crt'))).isOk)
  assert.equal(again.subject, 'CN=kitchen\nO=Damselfly')
})

test('no certificate outlives its authority', async (t) => {
  const { it, file } = await certificates(t)
  await it.init({ ...wish, days: 7_300 })
  const authority = new X509Certificate(await readFile(file('ca.crt')))
  const client = await it.addClient('kitchen', 7_300, false)
  assert.ok(Date.parse(client.validTo) <= Date.parse(authority.validTo))
})

test('a certificate holds from a day before the clock, until its day', async (t) => {
  const start = Date.UTC(2027, 0, 31, 12)
  const { it } = await certificates(t, () => start)
  const { certificate } = await it.init({ ...wish, days: 2 })
  assert.equal(Date.parse(certificate.validFrom), start - 86_400_000)
  assert.equal(Date.parse(certificate.validTo), start + 86_400_000)
})

const refused: readonly [what: string, files: Readonly<Record<string, string>>, reason: RegExp][] = [
  ['no certificate', { 'server.crt': 'x' }, /server\.crt is not a certificate/],
  ['no key', { 'ca.key': 'x' }, /ca\.key is not a private key/],
]
for (const [what, files, reason] of refused)
  test(`${what} in the place of one is told, and nothing is overwritten`, async (t) => {
    const { it, folder, file } = await certificates(t)
    await mkdir(folder)
    for (const [name, text] of Object.entries(files)) await writeFile(file(name), text)
    await assert.rejects(it.init(wish), reason)
    for (const [name, text] of Object.entries(files)) assert.equal(await readFile(file(name), 'utf8'), text)
  })

test('a certificate of another authority is left alone, and so is an authority without its key', async (t) => {
  const one = await certificates(t)
  const other = await certificates(t)
  await one.it.init(wish)
  await other.it.init(wish)
  await rename(other.file('server.crt'), one.file('server.crt'))
  await assert.rejects(one.it.init(wish), /was not made by ca\.crt/)
  await rm(other.file('ca.key'))
  await assert.rejects(other.it.init(wish), /ca\.key is not there: bring it back/)
  await assert.rejects(other.it.addClient('kitchen', 30, false), { code: 'CONFIG_INVALID' })
  await writeFile(other.file('ca.key'), newKey())
  await assert.rejects(other.it.init(wish), /is not the key of ca\.crt/)
  const third = await certificates(t)
  await mkdir(third.folder)
  await rename(one.file('server.crt'), third.file('server.crt'))
  await assert.rejects(third.it.init(wish), /was not made by/)
  assert.deepEqual(await readdir(third.folder), ['server.crt']) // no half authority
})
