// Where everything is in the package.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { debianChangelog } from './changelog.mjs'
import { completions } from './completions.mjs'
import { maintainer } from './control.mjs'
import { manPage } from './man.mjs'
import { filesIn } from './modules.mjs'

const here = import.meta.dirname

/** Files of /etc that are the owner's once they are there. */
export const conffiles = ['.env', 'damselfly.yaml', 'users', 'acl'].map((name) => `/etc/damselfly/${name}`)

/**
 * Lays out all that does not depend on the architecture, but for node_modules.
 * @param program what `readCommands` has found
 */
export function layOut(source, tree, { program, copyright, version, date }) {
  const put = (path, text) => {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), text)
  }
  const copy = (from, path) => put(path, readFileSync(join(source, from)))
  const lib = 'usr/lib/damselfly'
  for (const part of ['dist', 'config', 'systemd/etc'])
    cpSync(join(source, part), join(tree, lib, part), { recursive: true })
  for (const file of filesIn(join(tree, lib, 'dist')))
    if (/\.(map|tsbuildinfo|d\.ts)$/.test(file)) rmSync(file)
  const main = join(tree, lib, 'dist/main.js') // what runs it is /usr/bin/damselfly
  writeFileSync(main, readFileSync(main, 'utf8').replace(/^#!.*\n/, ''))
  copy('package.json', `${lib}/package.json`)

  put('usr/bin/damselfly', readFileSync(join(here, 'files/damselfly')))
  put('usr/lib/systemd/system/damselfly.service', unitText(source))
  put('usr/lib/sysusers.d/damselfly.conf', readFileSync(join(here, 'files/sysusers.conf')))
  for (const path of conffiles)
    copy(`systemd/etc/${path.slice(path.lastIndexOf('/') + 1).replace('.env', 'env')}`, path)
  mkdirSync(join(tree, 'etc/damselfly/actions'))
  symlinkSync(
    '/usr/lib/damselfly/config/damselfly.schema.json',
    join(tree, 'etc/damselfly/damselfly.schema.json'),
  )

  const day = new Date(date * 1_000).toISOString().slice(0, 10)
  put('usr/share/man/man1/damselfly.1.gz', packed(manPage(program, version, day)))
  put('usr/share/bash-completion/completions/damselfly', completions.bash(program))
  put('usr/share/zsh/vendor-completions/_damselfly', completions.zsh(program))
  put('usr/share/fish/vendor_completions.d/damselfly.fish', completions.fish(program))

  const doc = 'usr/share/doc/damselfly'
  const changes = readFileSync(join(source, 'CHANGELOG.md'), 'utf8')
  put(`${doc}/changelog.gz`, packed(debianChangelog(changes, version, maintainer(), date)))
  put(`${doc}/copyright`, copyright)
  copy('.env.example', `${doc}/env.example`)
  copy('README.md', `${doc}/README.md`)
  for (const folder of ['docs', 'examples'])
    if (existsSync(join(source, folder)))
      cpSync(join(source, folder), join(tree, doc, folder === 'docs' ? '' : folder), { recursive: true })
  put('usr/share/lintian/overrides/damselfly', readFileSync(join(here, 'files/lintian-overrides')))
}

/** The unit as it is, but for who has put it there. */
export function unitText(source) {
  const text = readFileSync(join(source, 'systemd/damselfly.service'), 'utf8')
  const [first, ...rest] = text.split('\n')
  if (!first.startsWith('# Put in place by `damselfly service install`'))
    throw new Error(`the unit begins with: ${first}`)
  return ['# Of the Debian package damselfly.', ...rest].join('\n')
}

function packed(text) {
  return gzipSync(text, { level: 9 }) // with no name and no time in it
}
