import type { Command } from 'commander'

/** Adds what takes data out and in: `export` and `import`. */
export function addImportCommands(program: Command): void {
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
}
