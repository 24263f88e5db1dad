const homeEndings = /\.(?:local|localhost|lan|home|internal|home\.arpa)$/

/**
 * Whether only the LAN says what a name stands for: one without dots, or with an ending that nobody can buy.
 * @NOTE the owner of any other name may have a page there now, and let it stand for this machine a moment later
 *
 * @param name in lower case, without a dot at its end
 */
export function isNearName(name: string): boolean {
  return !name.includes('.') || homeEndings.test(name)
}
