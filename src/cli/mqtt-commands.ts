import type { Command } from 'commander'
import type { MqttTool } from './mqtt-letters.ts'

/**
 * Adds `pub`, `sub` and `rr`. Their options are those of mosquitto's tools, `-h` for the host among them, and `-D` takes
 * three words: they are read by themselves.
 */
export function addMqttCommands(program: Command): void {
  add(program, 'pub', 'publish a message', async (given) => (await import('./pub.ts')).pub(given))
  add(program, 'sub', 'print messages as they come', async (given) => (await import('./sub.ts')).sub(given))
  add(program, 'rr', 'send a request, and print the answer', async (given) =>
    (await import('./rr.ts')).requestResponse(given),
  )
}

function add(
  program: Command,
  tool: MqttTool,
  description: string,
  run: Parameters<typeof import('./mqtt-run.ts')['runTool']>[2],
): void {
  program
    .command(tool)
    .description(`${description}; damselfly ${tool} --help lists the options, which are mosquitto_${tool}'s`)
    .argument('[options...]')
    .helpOption(false)
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (argv: string[]) => (await import('./mqtt-run.ts')).runTool(tool, argv, run))
}
