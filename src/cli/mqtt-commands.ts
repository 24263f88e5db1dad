import type { Command } from 'commander'

/** Adds `pub` and `sub`, whose letters are those of mosquitto_pub(1) and mosquitto_sub(1): `-h` is the host there. */
export function addMqttCommands(program: Command): void {
  withBroker(program.command('pub'))
    .description('publish a message')
    .requiredOption('-t, --topic <topic>', 'where to')
    .option('-m, --message <text>', 'the message')
    .option('-f, --file <file>', 'the content of a file is the message')
    .option('-l, --stdin-line', 'each line of standard input is a message')
    .option('-s, --stdin-file', 'all of standard input is the message')
    .option('-n, --null-message', 'an empty message; with -r it removes what is retained')
    .option('-q, --qos <level>', '0, 1 or 2', '0')
    .option('-r, --retain', 'let the broker keep it for those who come later')
    .addHelpText('after', `${localHint}\n\nExample:\n  damselfly pub -t home/lamp/set -m '{"msg":"ON"}'`)
    .action(async (options) => (await import('./pub.ts')).pub(options))

  withBroker(program.command('sub'))
    .description('print messages as they come')
    .requiredOption('-t, --topic <filter>', 'which; may be given several times', collect)
    .option('-v, --verbose', 'print the topic before the message')
    .option('-q, --qos <level>', 'the highest QoS with which they come: 0, 1 or 2', '0')
    .option('-C, --count <count>', 'end after so many messages')
    .option('-W, --timeout <seconds>', 'end after so many seconds, with exit code 27')
    .option('-F, --format <format>', 'how to print: %t topic, %p payload, %j all as JSON, and so on')
    .addHelpText('after', `${localHint}\n\nExample:\n  damselfly sub -v -t 'home/#'`)
    .action(async (options) => (await import('./sub.ts')).sub(options))
}

const localHint = `
Without -h it is the broker of the settings in .env, with the name and the password that stand there.`

function withBroker(command: Command): Command {
  return command
    .helpOption('--help', 'print this help')
    .option('-h, --host <host>', 'the broker: a name, an address, or mqtts://… for TLS')
    .option('-p, --port <port>', 'its port, 1883 unless told')
    .option('-u, --username <name>', 'the name to connect with')
    .option('-P, --pw <password>', 'the password to connect with')
    .option('-i, --id <id>', 'the client id; made up unless told')
    .option('-V, --protocol-version <version>', 'mqttv31, mqttv311 or mqttv5; mqttv311 unless told')
}

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value]
}
