// A program of its own, run by default-interface.ts: prints the name of the default route's interface.
const { networkInterfaceDefault } = await import('systeminformation')
process.stdout.write(await networkInterfaceDefault())
