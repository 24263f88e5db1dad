import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, damselfly, promise, systemctl, until, watchLevel } from '../kit.mjs'

const yaml = '/etc/damselfly/damselfly.yaml'

/** The action of docs/actions.md, as it stands there. */
const buzz = `export default {
  name: 'buzz', // in a rule: - { buzz: bell, for: 200ms }
  options: (z) => z.object({ buzz: z.string(), for: z.duration().default('200ms') }),
  async run({ options, event, gpio, publish, log, signal }) {
    await gpio.pulse(options.buzz, options.for, signal)
  },
}
`

export async function prove() {
  writeFileSync('/etc/damselfly/actions/buzz.js', buzz)
  const good = readFileSync(yaml, 'utf8')
  appendFileSync(yaml, '  - { name: buzzer, on: house/buzz, do: { buzz: bell, for: 300mm } }\n')
  const wrong = await damselfly('check')
  promise(
    'check checks the options of an action that was dropped in',
    wrong.code === 2 && /damselfly.yaml:\d+:\d+.*buzz/.test(wrong.text),
    wrong.text,
  )
  writeFileSync(yaml, `${good}  - { name: buzzer, on: house/buzz, do: { buzz: bell, for: 300ms } }\n`)
  const right = await damselfly('check')
  promise('and finds no mistake once it is right', right.code === 0, right.text)
  const tested = await damselfly('test', 'house/buzz', 'x')
  promise('test shows its step', tested.text.includes("buzz: { buzz: 'bell', for: 300 }"), tested.text)

  await systemctl('restart', 'damselfly')
  const client = await connect()
  const bell = watchLevel(22)
  await client.publish('house/buzz', 'x')
  await until(
    (changes) => changes.length === 3,
    () => bell.changes,
    6,
  )
  bell.stop()
  promise('after a restart it moves the pin', bell.changes.length === 3, bell.text())

  for (const [program, pattern] of [
    ['id -un', /^damselfly$/],
    ['date +%Y', /^\d{4}$/],
  ]) {
    const said = await client.answer('house/said', 'house/shell', program)
    promise(`exec: ${program}`, pattern.test(said), said)
  }
  client.end()
}
