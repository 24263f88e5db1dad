// damselfly(1), from what the program says of itself.
//   node packaging/man.mjs [DIST]     prints it; DIST is the folder of the compiled program
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allCommands, readCommands } from './commands.mjs'

const files = [
  ['/etc/damselfly/.env', 'settings and passwords of the service'],
  ['/etc/damselfly/damselfly.yaml', 'its pins and rules'],
  ['/etc/damselfly/users', 'who may connect'],
  ['/etc/damselfly/acl', 'what each may do'],
  ['/etc/damselfly/actions/', 'actions of your own'],
  ['/var/lib/damselfly/', 'retained messages, sessions and what waits in them, readings'],
  ['/run/damselfly/control.sock', 'the control socket, for root and the group damselfly'],
  ['/usr/share/doc/damselfly/', 'all of the documentation, and examples'],
]

/** @param program what `readCommands` has found @param date YYYY-MM-DD */
export function manPage(program, version, date) {
  const commands = allCommands(program).slice(1)
  return `.TH DAMSELFLY 1 ${date} "damselfly ${plain(version)}" "User Commands"
.SH NAME
damselfly \\- MQTT broker that acts: rules, actions and GPIO pins
.SH SYNOPSIS
.B damselfly
${words(program.usage)}
.SH DESCRIPTION
${words(program.description)}
.PP
\\fBdamselfly init\\fR writes a first configuration;
as a service it is damselfly.service, with its files in /etc/damselfly.
.SH OPTIONS
${options(program.options)}
.SH COMMANDS
${commands.map(section).join('\n')}
.SH SETTINGS, EXAMPLES AND EXIT CODES
${verbatim(program.after)}
.SH FILES
${files.map(([path, what]) => `.TP\n.I ${plain(path)}\n${words(what)}`).join('\n')}
.SH SEE ALSO
.BR mosquitto_pub (1),
.BR mosquitto_sub (1),
.BR mosquitto_passwd (1),
.BR systemctl (1),
.BR journalctl (1)
`
}

function section(command) {
  const parts = [`.SS "${plain(command.path.join(' '))}"`]
  const [usage, ...more] = command.usage.split('\n')
  parts.push(`.B ${plain(command.path.join(' '))}`, words(usage))
  for (const line of more) parts.push('.br', words(line.trim()))
  parts.push('.PP', words(sentence(command.description)))
  for (const { name, description } of command.arguments.filter((each) => each.description !== ''))
    parts.push('.TP', `.I ${plain(name)}`, words(description))
  const own = command.options.filter(({ names }) => names.join() !== '-h,--help') // that is said once, above
  if (own.length > 0) parts.push(options(own))
  if (command.after !== '') parts.push('.PP', verbatim(command.after))
  return parts.join('\n')
}

function options(all) {
  return all
    .map(({ names, value, description }) => {
      const flags = names.map((name) => `\\fB${plain(name)}\\fR`).join(', ')
      return `.TP\n${flags}${value === undefined ? '' : ` \\fI${plain(value)}\\fR`}\n${words(description)}`
    })
    .join('\n')
}

function verbatim(text) {
  return `.EX\n${text.split('\n').map(words).join('\n')}\n.EE`
}

/** A line of text: groff(7) takes a dot or an apostrophe at its beginning for a request, and a bare - for a hyphen. */
function words(text) {
  return plain(text).replace(/^(?=[.'])/, '\\&')
}

function plain(text) {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-')
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

if (import.meta.filename === process.argv[1]) {
  const root = join(import.meta.dirname, '..')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  process.stdout.write(
    manPage(await readCommands(process.argv[2] ?? join(root, 'dist')), version, '1970-01-01'),
  )
}
