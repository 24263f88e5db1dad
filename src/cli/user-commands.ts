import type { Command } from 'commander'

/** Adds `user`, with commands of its own for the house’s file, and with the letters of mosquitto_passwd(1) for any file. */
export function addUserCommands(program: Command): void {
  const user = program
    .command('user')
    .description('the users in CONFIG_DIR/users: names and passwords for clients')
    .enablePositionalOptions() // -b after add is that command's
    .usage(
      'add | passwd | rm | list …\n       damselfly user [-c | -D] [-b] FILE NAME [PASSWORD], or -U FILE, as mosquitto_passwd',
    )
    .argument('[file]', 'any file of users, also one of mosquitto')
    .argument('[name]', 'the user whose password is set in it')
    .argument('[password]', 'with -b')
    .option('-H, --hash <hash>', 'what mosquitto_passwd takes; it is always sha512-pbkdf2', 'sha512-pbkdf2')
    .option('-c, --create', 'make the file anew: what was in it is gone')
    .option('-D, --delete', 'remove the user from it')
    .option('-b, --batch', batchHelp)
    .option('-U, --update', 'hash the passwords of the file that are not hashed yet')
    .addHelpText(
      'after',
      `
A password is asked for on the terminal, or is the first line of standard input.
A running Damselfly sees a changed file by itself.

Examples:
  damselfly user add kitchen
  sudo damselfly user list
  damselfly user -U /etc/mosquitto/passwd`,
    )
    .action(async (file, name, password, options) =>
      (await import('./user-file.ts')).userFile(file, name, password, options),
    )

  user
    .command('add')
    .description('add a user')
    .argument('<name>')
    .argument('[password]', 'with -b')
    .option('-b, --batch', batchHelp)
    .addHelpText('after', '\nExample:\n  damselfly user add kitchen')
    .action(async (name, password, options) => (await import('./user.ts')).addUser(name, password, options))

  user
    .command('passwd')
    .description('give a user a new password; clients that have the old one are disconnected')
    .argument('<name>')
    .argument('[password]', 'with -b')
    .option('-b, --batch', batchHelp)
    .addHelpText('after', '\nExample:\n  damselfly user passwd kitchen')
    .action(async (name, password, options) =>
      (await import('./user.ts')).changePassword(name, password, options),
    )

  user
    .command('rm')
    .description('remove a user; its clients are disconnected')
    .argument('<name>')
    .action(async (name) => (await import('./user.ts')).removeUser(name))

  user
    .command('list')
    .description('print the names, and how each password is kept')
    .option('--json', 'as a JSON list')
    .action(async (options) => (await import('./user.ts')).listUsers(options))

  for (const command of user.commands) command.exitOverride()
}

const batchHelp = 'the password stands on the command line, where everybody on this machine can see it'
