// The licences of everything in the package, as machine-readable debian/copyright.
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { filesIn, manifestOf, packagesIn } from './modules.mjs'

/** npm's name of a licence → Debian's, and words that its text has. */
const known = new Map([
  ['MIT', ['Expat', /Permission is hereby granted, free of charge, to any person/]],
  ['ISC', ['ISC', /Permission to use, copy, modify, and(\/or| ) ?distribute this software for any/]],
  ['0BSD', ['0BSD', /Permission to use, copy, modify, and\/or distribute this software for any/]],
  ['BSD-2-Clause', ['BSD-2-Clause', /Redistribution and use in source and binary forms/]],
  ['BSD-3-Clause', ['BSD-3-Clause', /Neither the name|names? of .* may (not )?be used/]],
  ['Apache-2.0', ['Apache-2.0', /Apache License/]],
])

/** Packages without a text of their licence, and where its holders stand. */
const textless = new Map([['strftime', /^Copyright .*Sami Samhuri.*$/m]])

/**
 * Reads the licences of all packages and of what they have taken in, before anything is pruned.
 * @param isWanted which of the packages, by their folders below MODULES
 * @returns `{ path, holders, parts: [{ licence, text }] }` of each package, by path
 * @throws Error with every package whose licence is not known, or not there
 */
export function readLicences(modules, isWanted = () => true) {
  const mistakes = []
  const folders = packagesIn(modules).filter((folder) => isWanted(relative(modules, folder)))
  const owners = ownersOf(folders)
  const found = folders.map((folder) => {
    const { name, license } = manifestOf(folder)
    const files = filesIn(folder).filter((file) => isLicence(file) && !isDeeper(folder, file))
    const own = files.filter((file) => dirname(file) === folder)
    const taken = files.filter((file) => dirname(file) !== folder)
    const owner = owners.get(name)
    const texts = own.length > 0 || owner === undefined ? own : textsBeside(owner)
    const main = known.has(license) ? ownText(name, license, folder, texts) : undefined
    if (main === undefined) mistakes.push(`${name}: no text of a licence that is known; it says ${license}`)
    const all = [main, ...taken.map((file) => takenIn(modules, file, mistakes))].filter(
      (part) => part !== undefined,
    )
    return {
      path: `node_modules/${relative(modules, folder)}`,
      holders: [...new Set(all.flatMap(({ holders }) => holders))],
      parts: all.map(({ licence, text }) => ({ licence, text })),
    }
  })
  if (mistakes.length > 0) throw new Error(`licences:\n  ${mistakes.join('\n  ')}`)
  return found
}

function textsBeside(folder) {
  return filesIn(folder).filter((file) => isLicence(file) && dirname(file) === folder)
}

function isLicence(file) {
  return /^((un)?licen[cs]e|copying)(\.(txt|md))?$/i.test(basename(file))
}

/** Whether a file belongs to a package within the package. */
function isDeeper(folder, file) {
  return relative(folder, file).startsWith('node_modules/')
}

/** A package for one platform has the licence of the one that asks for it. */
function ownersOf(folders) {
  const owners = new Map()
  for (const folder of folders)
    for (const name of Object.keys(manifestOf(folder).optionalDependencies ?? {})) owners.set(name, folder)
  return owners
}

function ownText(name, licence, folder, files) {
  const [, words] = known.get(licence)
  const texts = files.map((file) => readFileSync(file, 'utf8'))
  const text = texts.find((each) => words.test(flat(each)))
  if (text !== undefined) return { licence, holders: holdersIn(text, folder), text: bodyOf(text) }
  const holder = textless.get(name)
  const readme = ['Readme.md', 'README.md'].map((file) => join(folder, file)).find(existsSync)
  const line = holder && readme && holder.exec(readFileSync(readme, 'utf8'))?.[0]
  return line ? { licence, holders: [line.replace(/^Copyright\s*/i, '')], text: '' } : undefined
}

/** Code of others within a package, such as LevelDB in classic-level. */
function takenIn(modules, file, mistakes) {
  const text = readFileSync(file, 'utf8')
  const licence = [...known].reverse().find(([, [, words]]) => words.test(flat(text)))?.[0]
  if (licence !== undefined) return { licence, holders: holdersIn(text, dirname(file)), text: bodyOf(text) }
  mistakes.push(`${relative(modules, file)}: this licence is not known`)
  return undefined
}

function flat(text) {
  return text.replaceAll(/\s+/g, ' ')
}

const holderLine = /^[\s*#/]*(?:(?:Copyright|COPYRIGHT)\s+(?:\([cC]\)|©|\d|[A-Z])|©|\([cC]\) ?\d).*$/gm

function holdersIn(text, folder) {
  const lines = (text.match(holderLine) ?? []).map((line) =>
    line
      .replace(/^[\s*#/]*/, '')
      .replace(/^Copyright\s*/i, '')
      .replace(/^(\(c\)|©)\s*/i, '')
      .replace(/\s*All rights reserved\.?$/i, '')
      .trim(),
  )
  const { author, name } = existsSync(join(folder, 'package.json')) ? manifestOf(folder) : {}
  const said = (typeof author === 'string' ? author : author?.name) || `the authors of ${name}`
  const whole = lines.map((line) => (/[A-Za-z]{2}/.test(line) ? line : `${line} ${said}`))
  return whole.length > 0 ? [...new Set(whole)] : [said]
}

/** The text without who holds it. */
function bodyOf(text) {
  return text
    .replaceAll('\r', '')
    .replaceAll(holderLine, '')
    .replaceAll(/^[\s#]*(The )?(MIT|ISC|BSD.*)( License)?( \(MIT\))?[\s=-]*$/gim, '')
    .trim()
}

/**
 * debian/copyright in its machine-readable form: packages by licence, and each text of a licence once, word for word.
 * @param own `{ holders, text }` of Damselfly itself
 */
export function copyrightText(own, licences) {
  const names = new Map() // the text in plain words → its name here
  const texts = new Map() // name → text
  const nameOf = ({ licence, text }) => {
    const [debian] = known.get(licence)
    const words = `${debian} ${text === '' ? 'canonical' : text.replaceAll(/[\s"'“”‘’`*]+/g, ' ').toLowerCase()}`
    if (debian === 'Apache-2.0') return debian
    if (text === '') return 'Expat'
    if (!names.has(words)) {
      const count = [...names.values()].filter(
        (name) => name === debian || name.startsWith(`${debian}-variant`),
      ).length
      const name = count === 0 ? debian : `${debian}-variant${count}`
      names.set(words, name)
      texts.set(name, text)
    }
    return names.get(words)
  }
  const head = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: damselfly
Comment: What is below /usr/lib/damselfly/node_modules comes from npm, as package-lock.json names it; licences were
 collected when the package was built. The native modules of libsql and @node-rs/argon2 have Rust libraries linked
 into them, which their authors list in their repositories.`
  const groups = new Map()
  nameOf({ licence: 'MIT', text: own.text }) // the first text of a licence keeps its plain name
  for (const entry of licences) {
    const key = JSON.stringify([entry.holders, [...new Set(entry.parts.map(nameOf))].join(' and ')])
    groups.set(key, [...(groups.get(key) ?? []), `${entry.path}/*`])
  }
  const files = [...groups].map(([key, paths]) => {
    const [holders, name] = JSON.parse(key)
    return `Files: ${paths.join('\n ')}\nCopyright: ${holders.join('\n ')}\nLicense: ${name}`
  })
  texts.set(
    'Apache-2.0',
    'On Debian systems, the text of the Apache License, version 2.0, is in\n/usr/share/common-licenses/Apache-2.0.',
  )
  const licenceTexts = [...texts].map(([name, text]) => `License: ${name}\n${folded(text)}`)
  const ours = `Files: *\nCopyright: ${own.holders.join('\n ')}\nLicense: Expat`
  return `${[head, ours, ...files, ...licenceTexts].join('\n\n')}\n`
}

function folded(text) {
  return text
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n')
}

/** The holders and the text of the LICENSE of this repository. */
export function ownLicence(source) {
  const text = readFileSync(join(source, 'LICENSE'), 'utf8')
  return { holders: holdersIn(text, source), text: bodyOf(text) }
}
