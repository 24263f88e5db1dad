import {
  holdLine,
  isActive,
  journal,
  promise,
  property,
  statesAgree,
  systemctl,
  until,
  watch,
} from '../kit.mjs'

/** A line that another program holds while the service starts. */
export async function prove() {
  await systemctl('stop', 'damselfly')
  const other = await holdLine(20)
  const lines = watch()
  const begun = Date.now()
  await systemctl('start', '--no-block', 'damselfly')
  const log = await journal('is busy: held by', begun, 150)
  await until(
    (count) => Number(count) > 0,
    () => property('NRestarts'),
    60,
  )
  lines.promise(
    'a line that another program holds stops the start, with its place in the file',
    /heating/.test(log) && /damselfly\.yaml:\d+/.test(log),
    ['porch', 'valve', 'fan'],
    log,
  )
  promise(
    'the service tries again',
    Number(await property('NRestarts')) > 0,
    `${await property('NRestarts')} restarts`,
  )
  other.kill()
  const state = await until((isUp) => isUp, isActive, 150)
  await lines.had('porch', 2)
  lines.promise('and starts when the line is free', state, ['porch', 'fan', 'lamp'])
  await statesAgree()
}
