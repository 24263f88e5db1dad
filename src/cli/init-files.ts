/** Who may connect. */
export type AccessChoice = 'lan' | 'local' | 'everyone'

/** Where the lamp of the example is: a GPIO number, the name of a line, or nowhere. */
export type LampChoice = number | string | 'simulated'

/** What `init` writes into `.env`. @param credentials two lines, with which devices on the LAN come in */
export function envText(access: AccessChoice, lamp: LampChoice, credentials: readonly string[]): string {
  const lines = {
    lan: ['# With these, devices on the LAN come in; programs on this machine need neither.', ...credentials],
    local: [
      '# Only programs on this machine come in. For the LAN: remove this line, and set',
      '# MQTT_USERNAME and MQTT_PASSWORD.',
      'BIND=loopback',
    ],
    everyone: ['# Whoever reaches this machine comes in, without a password.', 'ALLOW_ANONYMOUS=true'],
  }[access]
  if (lamp === 'simulated')
    lines.push('', '# No real pin moves. Remove this line on a Raspberry Pi.', 'GPIO_CHIP=simulated')
  return `${lines.join('\n')}\n`
}

/** What `init` writes into `damselfly.yaml`. */
export function yamlText(lamp: LampChoice): string {
  const line = lamp === 'simulated' ? 17 : lamp
  const gpio = typeof line === 'number' ? line : JSON.stringify(line)
  const free = line === 27 ? 22 : 27
  return `# yaml-language-server: $schema=./damselfly.schema.json
#
# What this house does. Save the file, and it is so. A mistake is told with its line, and the last good version stays.

# Names for the lines of the GPIO chip. Each has a topic that tells its state, damselfly/NAME/pins/lamp,
# and one that takes commands, damselfly/NAME/pins/lamp/set.
pins:
  lamp: { gpio: ${gpio}, out: true, max_on: 8h } # active: low, if it is a relay board that switches at 0 V
  # button: { gpio: ${free}, in: true, pull: up, active: low, debounce: 30ms, publish: home/button } # to ground

rules:
  # damselfly pub -t home/lamp -m on
  - name: lamp
    on: home/lamp
    when: payload in ["on", "off", "toggle"]
    do: { gpio: lamp, set: "\${payload}" }

  # damselfly pub -t home/lamp/set -m '{"msg":"ON"}'
  - name: lamp for 30 s
    on: home/lamp/set
    when: { msg: ON }
    do:
      - { gpio: lamp, set: on, for: 30s } # off again by itself; any later command cancels that
      - { log: "lamp on for 30 s, asked by \${client}" }

  # - name: button
  #   on: home/button
  #   when: payload == "on"
  #   do: { gpio: lamp, set: toggle }
`
}
