import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { as, attacker, granted, published, refusedWith, usersText } from '../support/attacks.js'
import { freePort, runCommand, writeFiles } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { tempFolder } from '../support/temp-folder.js'

/** Colours, the title of the window, C1, DEL, what turns a line around; a line of its own. */
const evil = '\x1b[31m\x1b]0;mine\x07\x9b2J\x7f\u202eetihw'
const lines = `${evil}\r\nNEW LINE`

/** What may do something to a terminal. */
const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u

for (const format of ['json', 'pretty'])
  test(`a client id, a topic and a user name with escapes for terminals show none of them: log (${format}), clients, topics`, async (context) => {
    const { folder, port, daemon } = await start(context, format)
    const mallory = await attacker(context, port, {
      clientId: `${lines} id`,
      protocolVersion: 5,
      ...as('mallory'),
    })
    const nobody = { clientId: `${lines} nobody`, username: lines, password: lines }
    assert.equal(await refusedWith(context, port, nobody), 4)
    assert.equal(await published(mallory, `${lines} topic`, lines, { qos: 1 }), 0x87)
    assert.deepEqual(await granted(mallory, `${lines} filter`), [0x87])
    assert.equal(await published(mallory, `open/${lines}`, lines, { qos: 1, retain: true }), 0)
    await daemon.says(/subscription refused/)
    assertHarmless(daemon.stdout, format === 'json' ? /^\{.*\}$/ : /^\[\d\d:\d\d:\d\d\] |^Damselfly |^ /)

    for (const command of [
      ['clients'],
      ['clients', `${lines} id`],
      ['topics', '--once', '--seconds', '0.2'],
    ]) {
      for (const argv of [command, [...command, '--json']]) {
        const { code, stdout, stderr } = await runCommand(folder, argv)
        assert.equal(code, 0, stderr)
        assert.match(stdout, /etihw|\\u\{?0?0?1b/)
        assertHarmless(stdout, /^/)
        assert.doesNotMatch(stdout, /^NEW LINE/m)
      }
    }
    const none = await runCommand(folder, ['clients', `${lines} nobody`])
    assert.equal(none.code, 1)
    assertHarmless(none.stderr, /^/)
  })

/** The daemon, with what it writes as it is. */
async function start(context: TestContext, format: string) {
  const [folder, port] = [await tempFolder(context), await freePort()]
  await writeFiles(folder, {
    '.env': `PORT=${port}\nBIND=loopback\nNAME=test\nGPIO_CHIP=simulated\nLOG_FORMAT=${format}\n`,
    'config/users': usersText(['mallory']),
    'config/acl': 'user mallory\ntopic readwrite open/#\n',
    'damselfly.yaml': '',
  })
  const daemon = new LiveCommand(context, folder, ['start'], { env: { DATA_DIR: join(folder, 'data') } })
  await daemon.says(/\bready\b/)
  return { folder, port, daemon }
}

function assertHarmless(text: string, line: RegExp): void {
  for (const one of text.split('\n')) {
    if (one === '') continue
    assert.doesNotMatch(one, unprintable)
    assert.match(one, line)
  }
}
