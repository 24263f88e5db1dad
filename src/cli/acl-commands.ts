import type { Command } from 'commander'

/** Adds `acl`. */
export function addAclCommands(program: Command): void {
  const acl = program.command('acl').description('the access control list in CONFIG_DIR/acl: who may do what')
  acl
    .command('test')
    .description(
      'say whether a user may read or write a topic, and which line decides; asks no running daemon',
    )
    .argument('<user>', 'a name; - for a client without one, $rules and $pins for our own')
    .argument('<topic>', 'for example home/lamp/set; with read a filter too')
    .argument('<verb>', 'read (subscribe and receive) or write (publish)')
    .option('--client <id>', 'the client id, for pattern lines with %c')
    .option('--listener <name>', 'where it connects, if there are several listeners', 'main')
    .addHelpText(
      'after',
      `
Exit codes: 0 yes · 1 no · 2 a mistake in the configuration or on the command line

Examples:
  damselfly acl test kitchen home/lamp/set write
  damselfly acl test - 'home/#' read`,
    )
    .action(async (user, topic, verb, options) =>
      (await import('./acl.ts')).testAcl(user, topic, verb, options),
    )
  for (const command of acl.commands) command.exitOverride()
}
