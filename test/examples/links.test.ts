import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { root } from '../support/daemon.js'

const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
]

/** A page without its code, in which brackets are no links. */
const proseOf = (page: string) =>
  readFileSync(join(root, page), 'utf8')
    .replace(/^ *(`{3,}|~{3,}).*\n(?:.*\n)*? *\1 *$/gm, '')
    .replace(/(`+)(?!`)[^\n]*?[^`]\1(?!`)/g, (code) => code.replace(/[[\]()]/g, ''))

/** Inline links, and the definitions of those by reference. */
const linksOf = (page: string) =>
  [...proseOf(page).matchAll(/\]\(\s*<?([^)\s>]+)[^)]*\)|^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)/gm)].map(
    ([, inline, defined]) => (inline ?? defined) as string,
  )

/** The names that GitHub gives to headings, and those that the page gives itself. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = readFileSync(join(root, page), 'utf8').replace(/^ *(`{3,}|~{3,}).*\n(?:.*\n)*? *\1 *$/gm, '')
  const anchors = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name]) => name as string))
  for (const [, heading] of text.matchAll(/^#{1,6} +(.*?)(?: +#+)? *$/gm)) {
    const words = (heading as string).replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
    let name = anchor
    for (let count = 1; anchors.has(name); count++) name = `${anchor}-${count}`
    anchors.add(name)
  }
  return anchors
}

for (const page of pages)
  test(`the links of ${page} lead to something that exists`, () => {
    const broken: string[] = []
    for (const link of linksOf(page)) {
      if (/^[a-z][a-z0-9+.-]*:/i.test(link)) continue // elsewhere on the web
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : normalize(join(dirname(page), decodeURI(path)))
      if (!existsSync(join(root, target))) broken.push(`${link}: there is no ${target}`)
      else if (anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(decodeURI(anchor)))
        broken.push(`${link}: ${target} has no such heading`)
    }
    assert.deepEqual(broken, [])
  })

test('there are links to look at', () => {
  assert.ok(pages.flatMap(linksOf).length > 100)
})
