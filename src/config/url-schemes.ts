/** What a broker's address may begin with, and the port that it has then. */
export const urlSchemes: ReadonlyMap<string, { readonly isSecure: boolean; readonly port: number }> = new Map(
  [
    ['mqtt:', { isSecure: false, port: 1_883 }],
    ['mqtts:', { isSecure: true, port: 8_883 }],
  ],
)

/** How other programs call the same. */
export const meantSchemes: ReadonlyMap<string, string> = new Map([
  ['tcp:', 'mqtt://'],
  ['http:', 'mqtt://'],
  ['ssl:', 'mqtts://'],
  ['tls:', 'mqtts://'],
  ['https:', 'mqtts://'],
  ['mqtt+ssl:', 'mqtts://'],
])
