// Every command as the program itself knows it, for the man page and the completions.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * @param dist the folder of the compiled program
 * @returns the program: `{ path, usage, description, arguments: [{ name, description }], options: [{ names, value, description }], after, commands }`,
 *   its commands likewise; `path` is the words that call it, and `after` what the help says at its end
 */
export async function readCommands(dist) {
  const load = (file) => import(pathToFileURL(join(dist, file)).href)
  const { commandLine } = await load('cli/program.js')
  const { letters } = await load('cli/mqtt-letters.js')
  return describe(commandLine(), [], letters)
}

function describe(command, before, letters) {
  const path = [...before, command.name()]
  const help = command.createHelp()
  const tool =
    before.length === 1 && ['pub', 'sub', 'rr'].includes(command.name()) ? command.name() : undefined
  const ownOptions = help.visibleOptions(command).map((option) => ({
    names: [option.short, option.long].filter((name) => name !== undefined),
    value: /[<[](.+?)[\]>]/.exec(option.flags)?.[1],
    description: help.optionDescription(option),
  }))
  return {
    path,
    usage: tool === undefined ? command.usage() : '[options]',
    description: command.description(),
    arguments:
      tool === undefined
        ? help
            .visibleArguments(command)
            .map((each) => ({ name: each.name(), description: help.argumentDescription(each) }))
        : [],
    options: tool === undefined ? ownOptions : lettersOf(tool, letters),
    after: textAfter(command),
    commands: help
      .visibleCommands(command)
      .filter((each) => each.name() !== 'help')
      .map((each) => describe(each, path, letters)),
  }
}

/** pub, sub and rr read their options by themselves. */
function lettersOf(tool, letters) {
  return letters
    .filter(({ tools, refusal }) => tools.includes(tool) && refusal === undefined)
    .map(({ names, value, help }) => ({ names, value, description: help }))
}

/** What `addHelpText('after', …)` has given it. */
function textAfter(command) {
  let text = ''
  command.emit('afterHelp', {
    error: false,
    command,
    write: (more) => {
      text += more
    },
  })
  return text.trim()
}

/** A command and all below it, in the order of the help. */
export function allCommands(command) {
  return [command, ...command.commands.flatMap(allCommands)]
}
