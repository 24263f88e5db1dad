// debian/changelog of one version, from its section of CHANGELOG.md.

/** @param version npm's: 0.5.0-beta.1 is 0.5.0~beta.1 in Debian, where a hyphen has another meaning */
export function debianVersion(version) {
  return version.replace('-', '~')
}

/** @param markdown CHANGELOG.md @param date when, in seconds @returns the text of changelog.gz */
export function debianChangelog(markdown, version, maintainer, date) {
  const [, section = ''] = markdown.split(new RegExp(`^## ${version.replaceAll('.', '\\.')}\\s*$`, 'm'))
  const items = (section.split(/^## /m)[0] ?? '').split(/\n(?=- )/).filter((item) => item.startsWith('- '))
  const lines = items.map((item) => wrapped(item.slice(2).replaceAll(/\s+/g, ' ').trim()))
  if (lines.length === 0)
    throw new Error(`CHANGELOG.md has no entry for ${version}: a section "## ${version}" with items`)
  return `damselfly (${debianVersion(version)}) unstable; urgency=medium\n\n${lines.join('\n')}\n\n -- ${maintainer}  ${rfc5322(date)}\n`
}

function wrapped(text) {
  const lines = ['  *']
  for (const word of text.split(' ')) {
    if (`${lines.at(-1)} ${word}`.length > 78) lines.push('   ')
    lines.push(`${lines.pop()} ${word}`)
  }
  return lines.join('\n')
}

function rfc5322(seconds) {
  return new Date(seconds * 1_000).toUTCString().replace('GMT', '+0000')
}
