import fc from 'fast-check'

const level = fc.constantFrom('a', 'b', '', '$SYS', 'ä', '$')
const wild = fc.constantFrom('a', 'b', '', '$SYS', 'ä', '+', '+')

/** Topics with few different levels, so that filters meet them. */
export const someTopic = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((topic) => topic !== '')

/** Filters for them. */
export const someFilter = fc
  .tuple(fc.array(wild, { minLength: 0, maxLength: 4 }), fc.boolean())
  .map(([levels, hasRest]) => [...levels, ...(hasRest || levels.length === 0 ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '')
