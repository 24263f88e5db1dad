import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { letters } from '#src/cli/mqtt-letters.js'
import { commandLine } from '#src/cli/program.js'
import { packaging, root } from './support.js'

const program = await packaging.readCommands(join(root, 'dist'))
const all = packaging.allCommands(program)

/** Each command by the words that call it, with its options, as the program itself has them. */
const known = (() => {
  const found = new Map<string, string[]>()
  const add = (command: ReturnType<typeof commandLine>, before: string): void => {
    const path = `${before}${command.name()}`
    found.set(
      path,
      command.options.flatMap(({ short, long }) => [short, long].filter((name) => name !== undefined)),
    )
    for (const each of command.commands) add(each, `${path} `)
  }
  add(commandLine(), '')
  for (const tool of ['pub', 'sub', 'rr'] as const)
    found.set(
      `damselfly ${tool}`,
      letters
        .filter(({ tools, refusal }) => tools.includes(tool) && refusal === undefined)
        .flatMap(({ names }) => names),
    )
  return found
})()

test('every command of the program is known to the package, and every option', () => {
  assert.deepEqual(new Set(all.map(({ path }) => path.join(' '))), new Set(known.keys()))
  for (const { path, options } of all) {
    const names = options.flatMap((option) => option.names)
    for (const name of known.get(path.join(' ')) ?? [])
      assert.ok(names.includes(name), `${path.join(' ')} ${name}`)
  }
  assert.ok(known.size > 30 && (known.get('damselfly pub') ?? []).includes('--will-topic'))
})

test('the man page has a section for every command, with every option', () => {
  const page = packaging.manPage(program, '1.2.3', '2026-01-02').replaceAll('\\-', '-')
  assert.match(page, /^\.TH DAMSELFLY 1 2026-01-02 "damselfly 1\.2\.3"/)
  const sections = new Map(
    page.split('\n.SS ').map((text): [string, string] => {
      const end = text.indexOf('\n')
      return [text.slice(1, end - 1), text.slice(end)]
    }),
  )
  for (const [path, options] of known) {
    if (path === 'damselfly') continue
    const section = sections.get(path)
    assert.ok(section !== undefined, path)
    for (const name of options) assert.ok(section.includes(`\\fB${name}\\fR`), `${path} ${name}`)
  }
})

test('no line of the man page is a request by mistake', () => {
  const page = packaging.manPage(program, '1.2.3', '2026-01-02')
  const requests = page.split('\n').filter((line) => /^[.']/.test(line))
  for (const line of requests) assert.match(line, /^\.(TH|SH|SS|TP|PP|B|BR|I|br|EX|EE)( |$)/, line)
})

test('bash completes every command and every option', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-completion-'))
  context.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'damselfly'), packaging.completions.bash(program))
  const script = `. "$1"; while read -r -a COMP_WORDS; do
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); [[ \${COMP_WORDS[COMP_CWORD]} == + ]] && COMP_WORDS[COMP_CWORD]=
    _damselfly; echo "\${COMPREPLY[*]}"; done`
  const asked = [...known.keys()].flatMap((path) => [`${path} +`, `${path} -`])
  const said = execFileSync('bash', ['-c', script, 'bash', join(folder, 'damselfly')], {
    input: asked.map((line) => `${line}\n`).join(''),
    encoding: 'utf8',
  }).split('\n')
  for (const [index, [path, options]] of [...known].entries()) {
    const below = [...known.keys()].filter((other) => other.slice(0, other.lastIndexOf(' ')) === path)
    const [commands, flags] = [said[2 * index], said[2 * index + 1]].map((line) => line?.split(' ') ?? [])
    for (const other of below)
      assert.ok(commands?.includes(other.slice(path.length + 1)), `${path}: ${other}`)
    for (const name of options) assert.ok(flags?.includes(name), `${path} ${name}`)
  }
})

test('a word after the wrong command completes nothing of another', async () => {
  const script = `${packaging.completions.bash(program)}
    COMP_WORDS=(damselfly cert ad); COMP_CWORD=2; _damselfly; echo "\${#COMPREPLY[@]}"`
  assert.equal(execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim(), '0')
})

test('the completions of zsh and fish name every command and every option', () => {
  const zsh = packaging.completions.zsh(program)
  const fish = packaging.completions.fish(program)
  for (const { path, commands, options } of all) {
    const [, mine = ''] = zsh.split(`    '${path.join(' ')}')\n`)
    const own = mine.split(';;')[0] ?? ''
    const here = fish.split('\n').filter((line) => line.includes(`'__damselfly_at ${path.join(' ')}'`))
    for (const command of commands) {
      const name = command.path.at(-1)
      assert.ok(own.includes(`'${name}:`), `zsh: ${command.path.join(' ')}`)
      assert.ok(
        here.some((line) => line.includes(` -a ${name} `)),
        `fish: ${command.path.join(' ')}`,
      )
    }
    for (const name of options.flatMap((option) => option.names)) {
      assert.ok(own.includes(`'${name}:`), `zsh: ${path.join(' ')} ${name}`)
      const flag = name.startsWith('--') ? ` -l ${name.slice(2)} ` : ` -s ${name.slice(1)} `
      assert.ok(
        here.some((line) => line.includes(flag)),
        `fish: ${path.join(' ')} ${name}`,
      )
    }
  }
})
