import { Command, CommanderError } from 'commander'
import { version } from '../daemon/version.ts'
import { addAclCommands } from './acl-commands.ts'
import { addCertCommands } from './cert-commands.ts'
import { exitCodes } from './exit-codes.ts'
import { addMqttCommands } from './mqtt-commands.ts'
import { reportFailure } from './report.ts'
import { addUserCommands } from './user-commands.ts'

/** Runs the command that stands on the command line, and sets the exit code. Each command loads its own parts. */
export async function runProgram(): Promise<void> {
  try {
    await commandLine().parseAsync()
  } catch (error) {
    if (error instanceof CommanderError)
      process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.misconfigured
    else reportFailure(error)
  }
}

function commandLine(): Command {
  const program = new Command('damselfly')
    .description('An MQTT broker that acts: it understands every message and moves the pin.')
    .version(version(), '-V, --version', 'print the version')
    .enablePositionalOptions() // after a command -V is that command's
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [COMMAND]', 'print the help of a command')
    .showHelpAfterError('(damselfly --help lists the commands)')
    .addHelpText(
      'after',
      `
Settings are read from .env in the working directory and from config/damselfly.yaml.
In a folder that has neither, every command but start and init is about the installed service.

Examples:
  damselfly init
  damselfly start
  damselfly trace 'home/#'
  damselfly test home/lamp/set '{"msg":"ON"}'
  sudo damselfly service install

Exit codes: 0 done · 1 failed · 2 a mistake in the configuration or on the command line · 3 Damselfly is not running
(status, clients, kick, topics, pins and trace)`,
    )

  program
    .command('init')
    .description('write a first .env and damselfly.yaml; what is there stays as it is')
    .option(
      '--access <who>',
      'who may connect: lan (devices with a password), local (this machine), everyone',
    )
    .option('--lamp <gpio>', 'the GPIO of a lamp, a relay or an LED, such as 17; or simulated')
    .option('--folder <folder>', 'where; it is made if need be', '.')
    .option('-y, --yes', 'ask nothing: what no option says is lan, and 17 on a Pi, else simulated')
    .addHelpText('after', '\nExample:\n  damselfly init --access lan --lamp 17')
    .action(async (options) => (await import('./init.ts')).init(options))

  program
    .command('start')
    .description('run the broker and the rules, until it is stopped')
    .addHelpText('after', '\nSIGHUP, or a saved file, reloads the configuration. SIGTERM or Ctrl-C stops.')
    .action(async () => (await import('./start.ts')).start())

  program
    .command('check')
    .description('read .env and damselfly.yaml, and tell every mistake')
    .action(async () => (await import('./check.ts')).check())

  program
    .command('test')
    .description('show what the rules would do with a message; does nothing')
    .argument('<topic>', 'for example home/lamp/set')
    .argument('[payload]', 'JSON or text; "-" reads standard input', '')
    .option('--all', 'also show the rules that do not listen to the topic')
    .option('--client <id>', 'the client id of the publisher', 'test')
    .option('--qos <level>', '0, 1 or 2', '0')
    .option('--retained', 'as if the message had been there before the rules')
    .addHelpText('after', `\nExample:\n  damselfly test home/lamp/set '{"msg":"ON"}'`)
    .action(async (topic, payload, options) => (await import('./test.ts')).test(topic, payload, options))

  program
    .command('status')
    .description('say how the running Damselfly is; exit code 3 when there is none')
    .option('--json', 'as a JSON object')
    .action(async (options) => (await import('./status.ts')).status(options))

  program
    .command('clients')
    .description(
      'show who is connected, who is away, and who was not let in; of one client all that is known',
    )
    .argument('[id]', 'a client id')
    .option('--json', 'as a JSON object')
    .addHelpText('after', '\nExample:\n  damselfly clients esp32-kitchen')
    .action(async (id, options) => (await import('./clients.ts')).clients(id, options))

  program
    .command('kick')
    .description('disconnect a client; exit code 1 when it is not connected')
    .argument('<id>', 'its client id')
    .option('--forget', 'end its session too: its subscriptions, and what waits for it')
    .addHelpText(
      'after',
      '\nMost clients come back at once.\n\nExample:\n  damselfly kick esp32-kitchen --forget',
    )
    .action(async (id, options) => (await import('./kick.ts')).kick(id, options))

  program
    .command('topics')
    .description('show the topics as a tree: how many messages come, the last one, and who sent it')
    .argument('[filter]', 'only topics that match, for example home/# or $SYS/#')
    .option('--once', 'print once what comes in some seconds, and what is retained')
    .option('--seconds <seconds>', 'for so long; with --once 2 unless told')
    .option('--json', 'likewise as a JSON object')
    .addHelpText('after', "\nExample:\n  damselfly topics 'home/#'")
    .action(async (filter, options) => (await import('./topics.ts')).topics(filter, options))

  program
    .command('pins')
    .description('show every pin of the running Damselfly, on a terminal as they change')
    .option('--once', 'print them once')
    .option('--json', 'print them once, as a JSON list')
    .action(async (options) => (await import('./pins.ts')).pins(options))

  program
    .command('trace')
    .description('show each message on its way: which rules fire, which do not and why, and each step')
    .argument('[filter]', 'only topics that match, for example home/#')
    .option('--all', 'also name the rules that do not listen to a topic')
    .option('--json', 'one JSON object a line, as docs/control-socket.md describes them')
    .addHelpText('after', "\nExample:\n  damselfly trace 'home/#'")
    .action(async (filter, options) => (await import('./trace.ts')).trace(filter, options))

  program
    .command('safe')
    .description('drive every output to its on_stop; needs no running daemon')
    .option(
      '--hold <duration>',
      'keep hold of the lines this long, for chips that reset released lines',
      '0s',
    )
    .addHelpText(
      'after',
      '\nThe systemd unit calls it after a crash (ExecStopPost=).\n\nExample:\n  damselfly safe --hold 2s',
    )
    .action(async (options) => (await import('./safe.ts')).safe(options))

  program
    .command('export')
    .description('print what store has written, as CSV or as JSON lines')
    .argument('[table]', 'the table; without it, the tables are listed')
    .option('--format <format>', 'csv or jsonl', 'csv')
    .option('--since <time>', 'only rows from this time on: 2026-01-31 or 2026-01-31T08:00:00Z')
    .addHelpText('after', '\nExample:\n  damselfly export readings --since 2026-01-31 > readings.csv')
    .action(async (table, options) => (await import('./export-command.ts')).exportCommand(table, options))

  program
    .command('import')
    .description("take over mosquitto's configuration and its retained messages; --switch takes its place")
    .argument('[file]', 'its configuration', '/etc/mosquitto/mosquitto.conf')
    .option('--username <name>', 'who reads the retained messages from the running mosquitto')
    .option('--password <password>', 'the password of that user')
    .option('--dry-run', 'write nothing: show what would become of each line')
    .option('--json', 'what became of each line, as a JSON object')
    .option('--no-retained', 'leave the retained messages where they are')
    .option(
      '--switch',
      'stop mosquitto and start Damselfly as a service; goes back by itself if that does not work',
    )
    .option('--retained-as-seen', 'switch even if mosquitto has retained messages that this user cannot see')
    .addHelpText(
      'after',
      `
Examples:
  damselfly import --dry-run
  sudo damselfly import /etc/mosquitto/mosquitto.conf --username house --password secret --switch`,
    )
    .action(async (file, options) => (await import('./import.ts')).importMosquitto(file, options))

  addAclCommands(program)
  addMqttCommands(program)
  addUserCommands(program)

  program
    .command('discover')
    .description('list the brokers that tell of themselves on this network; exit code 1 when there are none')
    .option('--seconds <seconds>', 'how long to listen for them', '3')
    .option('--json', 'as a JSON list')
    .addHelpText('after', '\nExample:\n  damselfly discover')
    .action(async (options) => (await import('./discover.ts')).discover(options))
  addCertCommands(program)

  program
    .command('schema')
    .description('print the JSON Schema of damselfly.yaml, for editors')
    .action(async () => (await import('./schema.ts')).schema())

  const service = program.command('service').description('run Damselfly as a systemd service')
  service
    .command('install')
    .description('make the user, the folders and the unit; enable and start it')
    .action(async () => (await import('./service.ts')).install())
  service
    .command('uninstall')
    .description('stop it and remove the unit; configuration and data stay')
    .action(async () => (await import('./service.ts')).uninstall())
  service
    .command('status')
    .description('say how the service is')
    .action(async () => (await import('./service.ts')).status())

  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap((group) => group.commands),
  ])
    command.exitOverride()
  return program
}
