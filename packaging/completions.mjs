// Completions for bash, zsh and fish, from what the program says of itself.
//   node packaging/completions.mjs bash|zsh|fish [DIST]     prints one; DIST is the folder of the compiled program
import { join } from 'node:path'
import { allCommands, readCommands } from './commands.mjs'

/** @param program what `readCommands` has found */
export const completions = { bash, zsh, fish }

function bash(program) {
  const cases = allCommands(program).map(({ path, commands, options }) => {
    const names = commands.map((each) => each.path.at(-1))
    return `    '${path.join(' ')}') commands='${names.join(' ')}' options='${options.flatMap((each) => each.names).join(' ')}' ;;`
  })
  return `# damselfly(1) completion                                   -*- shell-script -*-
# Made from the program's own help.

_damselfly() {
  local current=\${COMP_WORDS[COMP_CWORD]} path=damselfly commands options word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    _damselfly_words "$path"
    [[ " $commands " == *" $word "* ]] && path+=" $word"
  done
  _damselfly_words "$path"
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  fi
}

# sets commands and options to those of the command that is $1
_damselfly_words() {
  commands='' options=''
  case $1 in
${cases.join('\n')}
  esac
}

# where there is nothing to propose, names of files
complete -o bashdefault -o default -F _damselfly damselfly
`
}

function zsh(program) {
  const quoted = (name, what) => `'${`${name.replaceAll(':', '\\:')}:${what}`.replaceAll("'", "'\\''")}'`
  const cases = allCommands(program).map(({ path, commands, options }) => {
    const list = commands.map((each) => quoted(each.path.at(-1), each.description))
    const flags = options.flatMap(({ names, description }) => names.map((name) => quoted(name, description)))
    return `    '${path.join(' ')}')
      commands=(${list.join(' ')})
      options=(${flags.join(' ')}) ;;`
  })
  return `#compdef damselfly
# Made from the program's own help.

_damselfly_words() {
  commands=() options=()
  case $1 in
${cases.join('\n')}
  esac
}

_damselfly() {
  local at=damselfly word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    _damselfly_words "$at"
    (( \${commands[(I)$word:*]} )) && at+=" $word"
  done
  _damselfly_words "$at"
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}

_damselfly "$@"
`
}

function fish(program) {
  const quote = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const all = allCommands(program)
  const lines = all.flatMap(({ path, commands, options }) => {
    const at = `-n ${quote(`__damselfly_at ${path.join(' ')}`)}`
    return [
      ...commands.map(
        (each) => `complete -c damselfly -f ${at} -a ${each.path.at(-1)} -d ${quote(each.description)}`,
      ),
      ...options.map(({ names, value, description }) => {
        const flags = names.map((name) =>
          name.startsWith('--')
            ? `-l ${name.slice(2)}`
            : name.length === 2
              ? `-s ${name.slice(1)}`
              : `-o ${name.slice(1)}`,
        )
        return `complete -c damselfly ${at} ${flags.join(' ')}${value === undefined ? '' : ' -r'} -d ${quote(description)}`
      }),
    ]
  })
  const paths = all.slice(1).map(({ path }) => quote(path.join(' ')))
  return `# Made from the program's own help.

# whether the command on the line is the one of these words
function __damselfly_at
    set -l path damselfly
    for word in (commandline -opc)[2..]
        contains -- "$path $word" ${paths.join(' ')}; and set path "$path $word"
    end
    test "$path" = "$argv"
end

${lines.join('\n')}
`
}

if (import.meta.filename === process.argv[1]) {
  const [shell, dist = join(import.meta.dirname, '../dist')] = process.argv.slice(2)
  process.stdout.write(completions[shell](await readCommands(dist)))
}
