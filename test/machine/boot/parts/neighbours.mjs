import { connect, damselfly, journal, promise, property, sh, systemctl, until } from '../../service.mjs'

/** What else is on the machine, and is not as it should be. */
export async function neighbours() {
  await mosquitto()
  await readOnly()
}

async function mosquitto() {
  await systemctl('stop', 'damselfly')
  await systemctl('start', 'mosquitto')
  const begun = Date.now()
  const first = await systemctl('start', 'damselfly')
  const told = await journal('1883', begun)
  promise(
    'mosquitto has port 1883: the start fails, and the log says who has it',
    first.code !== 0 && /mosquitto/.test(told),
    told,
  )
  const tried = await until(
    (count) => Number(count) >= 2,
    () => property('NRestarts'),
    60,
  )
  promise('it is tried again each second', Number(tried) >= 2, `${tried} restarts`)
  const still = await sh('mosquitto_pub', '-t', 'x', '-m', 'x')
  promise('mosquitto goes on meanwhile', still.code === 0, still.text)
  await systemctl('stop', 'mosquitto')
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    20,
  )
  const client = await connect()
  promise('mosquitto ends: it takes over by itself', state === 'active' && client !== undefined, state)
  client?.end()
}

async function readOnly() {
  await sh('mount', '--bind', '/etc', '/etc')
  await sh('mount', '-o', 'remount,bind,ro', '/etc')
  const isSo = (await sh('touch', '/etc/x')).code !== 0
  const restart = await systemctl('restart', 'damselfly')
  const reload = await systemctl('reload', 'damselfly')
  const client = await connect()
  promise(
    'with a read-only /etc it starts, reloads and serves',
    isSo && restart.code === 0 && reload.code === 0 && client !== undefined,
  )
  client?.end()
  const user = await damselfly('user', 'add', '-b', 'shed', 'by-the-water')
  promise(
    'a command that would write there says why it cannot',
    user.code === 1 && /read-only|EROFS/i.test(user.text),
    user.text,
  )
  await sh('umount', '-l', '/etc')
  const again = await damselfly('user', 'add', '-b', 'shed', 'by-the-water')
  promise('and can once it may', again.code === 0, again.text)
}
