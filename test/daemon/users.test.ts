import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwordHashText } from '#src/core/password-hash.js'
import { runCommand, startDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'
import { userOf } from '../support/users.js'

const line = (name: string, password: string) =>
  `${name}:${passwordHashText(userOf(name, password).password)}\n`

test('a changed file of users takes effect by itself: who has a new password goes, others notice nothing, a bad file changes nothing', async (context) => {
  const files = { 'config/users': line('joe', 'one') + line('jim', 'two') }
  const daemon = await startDaemon(context, { env: 'ALLOW_ANONYMOUS=false', files })
  assert.equal(daemon.having('ready')[0]?.['lanClients'], 'as 2 users of the file users')
  const joe = await daemon.connect({ username: 'joe', password: 'one' })
  const jim = await daemon.connect({ username: 'jim', password: 'two' })
  let hasJimLeft = false
  jim.on('close', () => {
    hasJimLeft = true
  })
  await assert.rejects(daemon.connect({ username: 'joe', password: 'two' }))

  const leaving = new Promise<void>((resolve) => joe.once('close', () => resolve()))
  const changed = await runCommand(daemon.folder, ['user', 'passwd', '-b', 'joe', 'three'])
  assert.equal(changed.code, 0, changed.stderr)
  await leaving
  await daemon.logged('configuration reloaded')
  await daemon.connect({ username: 'joe', password: 'three' })
  await assert.rejects(daemon.connect({ username: 'joe', password: 'one' }))

  await daemon.write('config/users', `${files['config/users']}ann:plain\n`)
  await daemon.logged('not reloaded: the last good configuration stays')
  const mistake = daemon.having('mistake in the configuration')[0]
  assert.equal(mistake?.['at'], 'config/users:3:5')
  assert.doesNotMatch(JSON.stringify(daemon.log), /plain/)
  await daemon.connect({ username: 'joe', password: 'three' })

  await runCommand(daemon.folder, ['user', '-D', 'config/users', 'ann'])
  await daemon.logged('configuration reloaded', 2)
  await daemon.connect({ username: 'joe', password: 'one' })
  await until('jim is still there', () => jim.connected)
  assert.equal(hasJimLeft, false)
})
