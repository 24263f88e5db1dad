import type { Command } from 'commander'

/** Adds what makes, runs and checks a house: `init`, `start`, `check`, `test`. */
export function addHouseCommands(program: Command): void {
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
}
