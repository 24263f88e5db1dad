// DEBIAN/control.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { debianVersion } from './changelog.mjs'

/** What brings a library, and the versions of its symbols that say how new it must be. */
const libraries = [
  { files: /^(lib(c|m|dl|rt|pthread)\.so\.\d+|ld-linux.*)$/, name: 'libc6', symbol: /^GLIBC_(\d[\d.]*)$/ },
  { files: /^libgcc_s\.so\.1$/, name: 'libgcc-s1' },
  { files: /^libstdc\+\+\.so\.6$/, name: 'libstdc++6', symbol: /^GLIBCXX_(\d[\d.]*)$/ },
]

/** libstdc++6 has the version of its compiler, and not that of its symbols. */
const compilers = [
  ['3.4.19', '4.8'],
  ['3.4.21', '5'],
  ['3.4.26', '9'],
  ['3.4.29', '11'],
  ['3.4.30', '12'],
  ['3.4.32', '13'],
]

/** Who answers for the package: DEBFULLNAME and DEBEMAIL, as for Debian's own tools. */
export function maintainer() {
  const { DEBFULLNAME: name = 'Damselfly authors', DEBEMAIL: address = 'damselfly@localhost' } = process.env
  return `${name} <${address}>`
}

/**
 * @param facts `{ version, node, arch, kibibytes, needs }`: npm's version of the package, the least one of Node, Debian's
 *   name of the architecture, the installed size, what the native modules need
 */
export function controlText({ version, node, arch, kibibytes, needs }) {
  const depends = [
    `nodejs (>= ${node})`,
    ...librariesFor(needs),
    'systemd | systemd-standalone-sysusers | systemd-sysusers',
  ]
  const fields = {
    Package: 'damselfly',
    Version: debianVersion(version),
    Section: 'net',
    Priority: 'optional',
    Architecture: arch,
    Maintainer: maintainer(),
    'Installed-Size': kibibytes,
    Depends: depends.join(', '),
    Suggests: 'mosquitto-clients',
    Description: readFileSync(join(import.meta.dirname, 'files/description'), 'utf8').trimEnd(),
  }
  return `${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')}\n`
}

function librariesFor({ needed, versions }) {
  const unknown = [...needed].filter((file) => !libraries.some(({ files }) => files.test(file)))
  if (unknown.length > 0) throw new Error(`no Debian package is known for ${unknown.join(', ')}`)
  return libraries
    .filter(({ files }) => [...needed].some((file) => files.test(file)))
    .map(({ name, symbol }) => {
      const found = [...versions].flatMap((version) => symbol?.exec(version)?.[1] ?? [])
      const newest = found.sort(byNumbers).at(-1)
      if (newest === undefined) return name
      return `${name} (>= ${name === 'libstdc++6' ? compilerOf(newest) : newest})`
    })
}

function compilerOf(symbols) {
  const found = compilers.find(([version]) => byNumbers(symbols, version) <= 0)
  if (found === undefined) throw new Error(`no version of libstdc++6 is known for GLIBCXX_${symbols}`)
  return found[1]
}

function byNumbers(a, b) {
  return a.localeCompare(b, 'en', { numeric: true })
}
