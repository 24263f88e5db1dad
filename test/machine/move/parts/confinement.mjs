import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import { damselfly, exposure, journal, promise, property, sh, systemctl, until } from '../../proof.mjs'
import { passwordOf, round } from '../clients.mjs'

const yaml = '/etc/damselfly/damselfly.yaml'
const owner = ['-u', 'owner', '-P', passwordOf('owner')]

/** What the unit must let through: a socket in its folder, HTTP, mDNS, telemetry, keys that are mosquitto's. */
export async function proveConfinement(clients) {
  const begun = Date.now()
  const text = readFileSync(yaml, 'utf8')
  writeFileSync(
    yaml,
    `${text.replace('\nlisteners:\n', '\nlisteners:\n  programs:\n    unix: /run/damselfly/mqtt.sock\n')}\ntelemetry: { every: 2s }\n`,
  )
  appendFileSync('/etc/damselfly/.env', '\nHTTP_PORT=9883\n')
  await systemctl('reload', 'damselfly')
  const mistake = await journal('mistake in the configuration', begun, 1)
  promise(
    'the reload takes them',
    mistake === '' && (await journal('configuration reloaded', begun)) !== '',
    mistake,
  )
  await sockets()
  await told()
  await found()
  await keys(clients)
  await hardened()
}

async function sockets() {
  const publish = [
    'mosquitto_pub',
    '--unix',
    '/run/damselfly/mqtt.sock',
    ...owner,
    '-q',
    '1',
    '-t',
    'x',
    '-m',
    'x',
  ]
  const asPi = (...command) => sh('runuser', '-u', 'pi', '-g', 'pi', ...command)
  const asGroup = (...command) => sh('runuser', '-u', 'pi', '-g', 'pi', '-G', 'damselfly', ...command)
  const [member, stranger] = [await asGroup('--', ...publish), await asPi('--', ...publish)]
  promise(
    'a Unix socket in /run/damselfly, for the group',
    member.code === 0 && stranger.code !== 0,
    `${member.text}; ${stranger.text}`,
  )
  const [table, refused] = [
    await asGroup('--', 'damselfly', 'clients'),
    await asPi('--', 'damselfly', 'clients'),
  ]
  promise('damselfly clients, for the group', table.code === 0 && table.stdout.includes('esp-1'), table.text)
  promise('and for nobody else', refused.code !== 0, refused.text)
  const topics = await asGroup('--', 'damselfly', 'topics', '--once')
  promise('damselfly topics', topics.code === 0, topics.text.split('\n').slice(0, 4).join('\n'))
}

async function told() {
  const get = async (path) => {
    const answer = await fetch(`http://127.0.0.1:9883${path}`)
    return { status: answer.status, text: await answer.text() }
  }
  const health = await get('/health').catch((error) => ({ text: String(error.cause) }))
  promise('HTTP_PORT: health', health.status === 200, health.text)
  const { text } = await get('/metrics').catch(() => ({ text: '' }))
  promise('and metrics', /^damselfly_/m.test(text), text.split('\n').length)
  const told = await sh('mosquitto_sub', ...owner, '-t', 'damselfly/+/telemetry', '-C', '1', '-W', '20')
  promise(
    'telemetry, where there is no vcgencmd',
    /"load":/.test(told.stdout) && !/throttled/.test(told.stdout),
    told.text,
  )
  const system = await sh('mosquitto_sub', ...owner, '-t', '$SYS/broker/version', '-C', '1', '-W', '20')
  promise('$SYS/broker/version', /damselfly/i.test(system.stdout), system.text)
}

async function found() {
  const { code, text } = await damselfly('discover')
  promise('mDNS: damselfly discover finds it', code === 0 && text.includes('10.77.0.5'), text)
  const lan = await sh('mosquitto_pub', '-h', '10.77.0.5', ...owner, '-t', 'x', '-m', 'x')
  promise('on the address of the LAN', lan.code === 0, lan.text)
}

/** The subject key of the certificate that is shown at a port. */
function shown(port) {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate().fingerprint256)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

async function keys(clients) {
  const stat = await sh('stat', '-c', '%n %a %U:%G', '/etc/mosquitto/certs/server.key')
  promise(
    'the key stays mosquitto’s, and Damselfly may read it',
    / 640 mosquitto:damselfly/.test(stat.text),
    stat.text,
  )
  const old = await shown(8883)
  // written anew in place, as a renewal that keeps owner and mode does it
  const script = `cd /etc/mosquitto/certs && openssl req -newkey rsa:2048 -nodes -keyout new.key -out new.csr -subj /CN=server 2>/dev/null &&
openssl x509 -req -in new.csr -CA ca.crt -CAkey ca.key -days 30 -out new.crt -extfile /dev/stdin 2>/dev/null <<< subjectAltName=DNS:localhost,IP:127.0.0.1 &&
cat new.key > server.key && cat new.crt > server.crt && rm new.*`
  const made = await sh('bash', '-c', script)
  const next = await until(
    (text) => text !== old,
    () => shown(8883).catch(String),
    15,
  )
  promise('a renewed certificate is taken over', made.code === 0 && next !== old, made.text)
  const wrong = await round(clients, 'renewed')
  promise('and its clients stay', wrong.length === 0, wrong.join('\n'))
  const begun = Date.now()
  await sh(
    'bash',
    '-c',
    'cd /etc/mosquitto/certs && cp -a server.key kept.key && chmod 600 server.key && chgrp mosquitto server.key && touch server.crt',
  )
  await systemctl('reload', 'damselfly')
  const told = await journal('server.key', begun)
  promise(
    'a key that it may not read any more is told, with who could not',
    /damselfly/.test(told) && /server\.key/.test(told),
    told,
  )
  promise('and the one before goes on', (await shown(8883)) === next)
  await sh('bash', '-c', 'cd /etc/mosquitto/certs && cp -a kept.key server.key && rm kept.key')
}

async function hardened() {
  const { isAtMost, verdict } = await exposure(20)
  promise('systemd-analyze security is at most 2.0', isAtMost, verdict)
  const restarts = await property('NRestarts')
  promise('no restart all the while', restarts === '0', restarts)
}
