import { hostname } from 'node:os'
import { connect, level, promise, pull, until, watchLevel } from '../kit.mjs'

export async function prove() {
  const client = await connect()
  const topic = (pin) => `damselfly/${hostname()}/pins/${pin}`

  const lamp = watchLevel(17)
  await client.publish('home/lamp/set', '{"msg":"ON"}')
  await until(
    (changes) => changes.length === 3,
    () => lamp.changes,
    6,
  )
  lamp.stop()
  const [, on, off] = lamp.changes
  const lasted = off?.atMs - on?.atMs
  promise(
    'message → line high → low after its `for` of 2 s',
    on?.value === '1' && lasted > 1_800 && lasted < 3_000,
    lamp.text(),
  )

  const late = await connect()
  await until(
    (seen) => Object.keys(seen).length >= 5,
    () => late.seen,
  )
  const retained = late.all.filter((text) => text.startsWith('damselfly/')).sort()
  const expected = ['pins/bell off', 'pins/door off', 'pins/lamp off', 'pins/valve off', 'status online']
  const isExpected = expected.every((end, index) => retained[index]?.endsWith(`${end} (retained)`))
  promise(
    'a client that comes later gets the retained states',
    isExpected && retained.length === 5,
    retained.join(', '),
  )
  late.end()

  await client.publish(`${topic('valve')}/set`, 'on')
  promise(
    'a pin obeys its set topic',
    (await until(
      (value) => value === '1',
      () => level(5),
    )) === '1',
    `GPIO5 ${level(5)}`,
  )
  await client.publish(`${topic('valve')}/set`, 'off')
  await until(
    (value) => value === '0',
    () => level(5),
  )

  client.all.length = 0
  const bell = watchLevel(22)
  await pull(27, 'down')
  await until(
    (changes) => changes.length === 3,
    () => bell.changes,
    6,
  )
  await pull(27, 'up')
  await until(
    (all) => all.includes('home/door off'),
    () => client.all,
  )
  bell.stop()
  const edges = client.all.filter((text) => text.startsWith('home/door')).join(', ')
  promise("an input's edges → its topic", edges === 'home/door on, home/door off', edges)
  promise(
    'and a rule that switches an output',
    bell.changes.map(({ value }) => value).join('') === '010',
    bell.text(),
  )
  client.end()
}
