import { resolve } from 'node:path'
import { limits } from '../core/limits.ts'
import { Secret } from '../core/secret.ts'
import type { ProblemList } from './problem-list.ts'
import { readText, shownPath } from './read-file.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree } from './yaml-tree.ts'

export interface BridgeFilesParts {
  readonly reader: TreeReader
  readonly warnings: ProblemList
  readonly cwd: string
  /** Where relative paths begin. */
  readonly configDir: string
}

/** Reads files that a bridge names: passwords, certificates and keys. */
export class BridgeFiles {
  readonly #parts: BridgeFilesParts
  /** Absolute: those that were named, whether they could be read or not. */
  readonly paths: string[] = []

  constructor(parts: BridgeFilesParts) {
    this.#parts = parts
  }

  /** Certificates in PEM. */
  async certificates(tree: Tree, what: string): Promise<string | undefined> {
    const text = await this.#text(tree, what, 'a file of certificates, such as tls/ca.crt', false)
    if (text === undefined || text.includes('-----BEGIN CERTIFICATE-----')) return text
    return this.#parts.reader.mistake(tree, `${what} holds no certificate`, {
      expected: 'PEM: a text with -----BEGIN CERTIFICATE-----',
    })
  }

  async key(tree: Tree, what: string): Promise<Secret | undefined> {
    const text = await this.#text(tree, what, 'a file with a key, such as tls/bridge.key', true)
    if (text === undefined) return undefined
    if (/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(text)) return new Secret(text)
    return this.#parts.reader.mistake(tree, `${what} holds no key that can be used`, {
      expected: 'PEM: a text with -----BEGIN PRIVATE KEY-----, which no passphrase protects',
    })
  }

  /** What the file says but for the end of its line. */
  async password(tree: Tree, what: string): Promise<Secret | undefined> {
    const text = await this.#text(tree, what, 'a file that holds the password, such as cloud.password', true)
    if (text === undefined) return undefined
    const password = text.replace(/\n$/, '')
    if (password !== '') return new Secret(password)
    return this.#parts.reader.mistake(tree, `${what} is empty`, { expected: 'one line, the password' })
  }

  async #text(tree: Tree, what: string, expected: string, isSecret: boolean): Promise<string | undefined> {
    const { reader, warnings, cwd, configDir } = this.#parts
    const name = reader.text(tree, what, expected)
    if (name === undefined) return undefined
    const path = resolve(configDir, name)
    const shown = shownPath(cwd, path)
    this.paths.push(path)
    const reading = await readText(path, shown, limits.dotenvBytesMax)
    if (reading.kind === 'absent')
      return reader.mistake(tree, `${what}: there is no file ${shown}`, { expected })
    if (reading.kind === 'problem')
      return reader.mistake(tree, `${what}: ${reading.problem.message}`, { expected })
    if (isSecret && (reading.mode & 0o004) !== 0)
      warnings.add({
        place: { file: shown, line: 0, column: 0 },
        message: 'everybody on this machine can read this file, and it is secret',
        suggestion: `chmod o-rwx ${shown}`,
      })
    return reading.source.text
  }
}
