import { readFileSync, writeFileSync } from 'node:fs'
import { journal, promise, property, sh, until } from '../../proof.mjs'
import { answer, dpkg, etc, facts, level, packages, state } from '../kit.mjs'

export async function prove() {
  const begun = Date.now()
  const { code, text } = dpkg('-i', packages.first)
  promise('dpkg -i ends with 0, and nobody is asked', code === 0, text)
  promise('running and enabled', (await state()) === 'active running enabled', await state())
  const ready = await journal('"msg":"ready"', begun)
  promise('the journal says ready: no pin is driven before it is named', ready.includes('"pins":[]'), ready)
  await files()
  await firstMessage()
  await pin()
  await commands()
}

async function files() {
  const found = await facts(
    etc,
    ...['.env', 'damselfly.yaml', 'users', 'acl', 'actions'].map((name) => `${etc}/${name}`),
  )
  const isRight = ['.env', 'users', 'acl'].every((name) =>
    found.includes(`${etc}/${name} 640 root:damselfly`),
  )
  promise(
    'secrets are 0640 root:damselfly, the rest is 0644',
    isRight && found.includes('damselfly.yaml 644 root:root'),
    found,
  )
  const user = (await sh('getent', 'passwd', 'damselfly')).text
  const group = await sh('getent', 'group', 'gpio')
  promise(
    'a static user without a shell; the group gpio',
    user.endsWith(':/var/lib/damselfly:/usr/sbin/nologin') && group.code === 0,
    user,
  )
  const altered = await sh('dpkg', '--verify', 'damselfly')
  promise('every file is as the package has it', altered.text === '', altered.text)
}

async function firstMessage() {
  const said = await answer('hello/answer', 'hello', 'Pi')
  promise('the first message, by mosquitto_pub and mosquitto_sub', said === 'Hello Pi', said)
}

async function pin() {
  const heard = await sh('runuser', '-u', 'nobody', '--', 'damselfly', 'pub', '-t', 'hello', '-m', 'nobody')
  promise('anybody on the machine may publish, without sudo', heard.code === 0, heard.text)
  const yaml = `${etc}/damselfly.yaml`
  const begun = Date.now()
  // as a person does: the # of the pins and of the rules below go
  writeFileSync(
    yaml,
    readFileSync(yaml, 'utf8')
      .replace(/^#pins:/m, 'pins:')
      .replaceAll(/^#( {2}(lamp|button):)/gm, '$1')
      .replaceAll(/^ {2}#(- | {2}\w)/gm, '  $1'),
  )
  promise(
    'a saved file holds at once',
    (await journal('configuration reloaded', begun)) !== '',
    readFileSync(yaml, 'utf8').match(/^pins:/m),
  )
  const before = level(17)
  await sh('mosquitto_pub', '-t', 'home/lamp/set', '-m', '{"msg":"ON"}')
  const lamp = await until(
    (value) => value === '1',
    () => level(17),
  )
  promise('a message moves a pin by a rule', before === '0' && lamp === '1', `GPIO17 ${before}, then ${lamp}`)
}

async function commands() {
  const install = await sh('damselfly', 'service', 'install')
  promise(
    'service install leaves the unit to the package, and the service running',
    install.code === 0 &&
      install.text.includes('is of the Debian package') &&
      (await property('FragmentPath')).startsWith('/usr/lib/'),
    install.text,
  )
  const uninstall = await sh('damselfly', 'service', 'uninstall')
  promise(
    'service uninstall is refused, and says what removes it',
    uninstall.code === 1 &&
      uninstall.text.includes('apt remove damselfly') &&
      (await state()).startsWith('active running'),
    uninstall.text,
  )
  const status = await sh('damselfly', 'service', 'status')
  promise('service status: exit code 0', status.code === 0, status.text)
  const completed = await sh(
    'bash',
    '-c',
    '. /usr/share/bash-completion/completions/damselfly; COMP_WORDS=(damselfly user p); COMP_CWORD=2; _damselfly; echo "${COMPREPLY[*]}"',
  )
  promise('bash completes its commands', completed.text === 'passwd', completed.text)
}
