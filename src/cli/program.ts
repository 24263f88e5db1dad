import { Command, CommanderError } from 'commander'
import { version } from '../daemon/version.ts'
import { addAclCommands } from './acl-commands.ts'
import { addCertCommands } from './cert-commands.ts'
import { exitCodes } from './exit-codes.ts'
import { addHouseCommands } from './house-commands.ts'
import { addImportCommands } from './import-commands.ts'
import { addInspectionCommands } from './inspection-commands.ts'
import { addMqttCommands } from './mqtt-commands.ts'
import { reportFailure } from './report.ts'
import { addServiceCommands } from './service-commands.ts'
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

/** Every command and option but those of `pub`, `sub` and `rr`, which are in `mqtt-letters.ts`. */
export function commandLine(): Command {
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
(status, clients, kick, reload, topics, pins and trace)`,
    )

  addHouseCommands(program)
  addInspectionCommands(program)
  addSafe(program)
  addImportCommands(program)
  addAclCommands(program)
  addMqttCommands(program)
  addUserCommands(program)
  addDiscover(program)
  addCertCommands(program)
  addSchema(program)
  addServiceCommands(program)
  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap((group) => group.commands),
  ])
    command.exitOverride()
  return program
}

function addSafe(program: Command): void {
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
}

function addDiscover(program: Command): void {
  program
    .command('discover')
    .description('list the brokers that tell of themselves on this network; exit code 1 when there are none')
    .option('--seconds <seconds>', 'how long to listen for them', '3')
    .option('--json', 'as a JSON list')
    .addHelpText('after', '\nExample:\n  damselfly discover')
    .action(async (options) => (await import('./discover.ts')).discover(options))
}

function addSchema(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of damselfly.yaml, for editors')
    .action(async () => (await import('./schema.ts')).schema())
}
