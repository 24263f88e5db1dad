import type { Command } from 'commander'

/** Adds `service`, with commands of its own. */
export function addServiceCommands(program: Command): void {
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
}
