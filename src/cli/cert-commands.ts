import type { Command } from 'commander'

const folderHelp = 'where the files are; CONFIG_DIR/certs unless told'

/** Adds `cert`: certificates of a house of one's own. */
export function addCertCommands(program: Command): void {
  const cert = program
    .command('cert')
    .description('make certificates for TLS, signed by an authority of your own')

  cert
    .command('init')
    .description('make the authority and a certificate for this machine; called again, renew the latter')
    .option('--name <name>', 'the name by which it is found: NAME.local; NAME of the settings unless told')
    .option('--san <name>', 'one more name or address of it; several times if you like', collect, [])
    .option('--days <days>', 'how long the certificate of this machine holds', '820')
    .option('--listen [port]', 'also write the listener into damselfly.yaml; on port 8883 unless told')
    .option('--folder <folder>', folderHelp)
    .addHelpText('after', '\nExample:\n  damselfly cert init --san broker.example.org --listen')
    .action(async (options) => (await import('./cert.ts')).certInit(options))

  cert
    .command('client')
    .description('make key and certificate for a client; its name is the user name')
    .argument('<name>')
    .option('--days <days>', 'how long it holds', '3650')
    .option('--again', 'make others for one that has some')
    .option('--folder <folder>', folderHelp)
    .addHelpText('after', '\nExample:\n  damselfly cert client kitchen')
    .action(async (name, options) => (await import('./cert.ts')).certClient(name, options))

  cert
    .command('revoke')
    .description('take back every certificate of a client')
    .argument('<name>')
    .option('--folder <folder>', folderHelp)
    .addHelpText('after', '\nExample:\n  damselfly cert revoke kitchen')
    .action(async (name, options) => (await import('./cert.ts')).certRevoke(name, options))

  cert
    .command('show')
    .description('list the certificates, and until when they hold')
    .option('--json', 'as a JSON list')
    .option('--folder <folder>', folderHelp)
    .action(async (options) => (await import('./cert.ts')).certShow(options))
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
