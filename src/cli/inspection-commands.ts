import type { Command } from 'commander'

/** Adds what asks the running Damselfly: `status`, `clients`, `kick`, `reload`, `topics`, `pins`, `trace`. */
export function addInspectionCommands(program: Command): void {
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
    .command('reload')
    .description(
      'have the configuration read again; exit code 2 when it has a mistake, and the last good one stays',
    )
    .action(async () => (await import('./reload.ts')).reload())

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
}
