import { createRequire, Module } from 'node:module'
import type { z } from 'zod'

const require = createRequire(import.meta.url)

// @NOTE zod loads its messages in sixty languages, whichever is used: two of the thirty megabytes that we take. It says
// its own in English without them, and we say ours
const languages = require.resolve('zod/v4/locales')
require.cache[languages] = Object.assign(new Module(languages), { loaded: true })

/** zod, without the languages; its types are those of `zod`. */
export const { z: zod } = require('zod') as { readonly z: typeof z }
