import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicTree } from '#src/cli/topic-tree.js'
import type { TopicReport } from '#src/control/protocol.js'
import { runCommand, startDaemon } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { missing } from '../support/tools.js'

const as = (_: string, text: string) => text
const report = (topic: string, more: Partial<TopicReport> = {}): TopicReport => {
  return {
    topic,
    messages: 1,
    rate: 0,
    text: 'on',
    bytes: 2,
    qos: 0,
    client: 'esp',
    isRetained: false,
    ...more,
  }
}

test('topics are a tree, in which a level that leads to one other only stands with it', () => {
  const reports = [
    report('home/kitchen/lamp', { rate: 0.5 }),
    report('home/kitchen/door', { isRetained: true }),
    report('home/kitchen'),
    report('garden/well/level', { text: '', bytes: 0 }),
    report('/a', { base64: 'AAA=', bytes: 2, text: undefined as never }),
  ]
  assert.deepEqual(
    topicTree(reports, 2, as).map((line) => line.replace(/ {3,}/g, ' | ')),
    [
      'TOPIC | A SECOND  LAST VALUE | FROM  AT',
      '/a | (2 bytes that are no text)  esp',
      'garden/well/level | (empty) | esp',
      'home/kitchen | on | esp',
      '  door | R on | esp',
      '  lamp | 0.5 | on | esp',
      '2 messages of further topics are not shown: name a filter',
    ],
  )
  assert.deepEqual(topicTree([], 0, as), ['nothing yet'])
})

test('where there is no terminal topics are shown once, with what is retained', async (context) => {
  const daemon = await startDaemon(context, { env: 'SYS_INTERVAL=1' })
  const client = await daemon.connect({ clientId: 'esp' })
  await client.publishAsync('home/lamp', 'on', { qos: 1, retain: true })
  const [home, system, json] = await Promise.all([
    runCommand(daemon.folder, ['topics', 'home/#', '--seconds', '0.2']),
    runCommand(daemon.folder, ['topics', '$SYS/broker/clients/#', '--seconds', '0.2']),
    runCommand(daemon.folder, ['topics', 'home/#', '--seconds', '0.2', '--json']),
  ])
  assert.equal(home.code, 0)
  assert.match(home.stdout, /\nhome\/lamp +R on +esp\n$/)
  assert.match(system.stdout, /\$SYS\/broker\/clients\n {2}active +R \d+ +damselfly/)
  const [topic] = JSON.parse(json.stdout).topics
  assert.deepEqual([topic.topic, topic.text, topic.isRetained, topic.messages], ['home/lamp', 'on', true, 0])
  for (const argv of [
    ['topics', 'a/#/b'],
    ['topics', '--seconds', '0'],
    ['topics', '--seconds', 'x'],
  ])
    assert.equal((await runCommand(daemon.folder, argv)).code, 2, argv.join(' '))
})

test('on a terminal the tree follows what comes until Ctrl-C', {
  skip: missing('script'),
}, async (context) => {
  const daemon = await startDaemon(context)
  const client = await daemon.connect({ clientId: 'esp' })
  const live = new LiveCommand(context, daemon.folder, ['topics'], { isOnTerminal: true })
  await live.says(/nothing yet.*Ctrl-C ends/s)
  await client.publishAsync('home/lamp', 'off', { qos: 1 })
  await live.says(/home\/lamp +\S*\d.*off +esp/)
  live.type('\x03')
  assert.equal(await live.end(), 0)
})
