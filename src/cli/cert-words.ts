import { parseDocument } from 'yaml'

/** Where the files of a listener are, as they are written into `damselfly.yaml`. */
export interface CertPaths {
  readonly certificate: string
  readonly key: string
  readonly authority: string
  readonly revocations: string
}

/** The lines of `damselfly.yaml` for a listener with TLS. */
export function listenerLines(port: number, paths: CertPaths): readonly string[] {
  return [
    'listeners:',
    '  secure:',
    `    port: ${port}`,
    '    tls:',
    `      cert: ${paths.certificate}`,
    `      key: ${paths.key}`,
    `      # client_ca: ${paths.authority} # client certificates instead of passwords: see docs/certificates.md`,
    `      # crl: ${paths.revocations}`,
    '      # user_from: common-name',
  ]
}

/**
 * The text of `damselfly.yaml` with that listener at its end. Undefined when it has listeners already, or is no text to
 * which lines can be added.
 */
export function withListener(text: string, port: number, paths: CertPaths): string | undefined {
  const before = parseDocument(text)
  if (before.errors.length > 0 || before.has('listeners')) return undefined
  const gap = text === '' || text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n'
  const next = `${text}${gap}${listenerLines(port, paths).join('\n')}\n`
  const after = parseDocument(next)
  // a file in braces, or one that ends with `...`, takes no more lines
  return after.errors.length === 0 && after.has('listeners') ? next : undefined
}

/** The listener of this text that has such a certificate and key already; undefined when there is none. */
export function listenerWith(text: string, { certificate, key }: CertPaths): string | undefined {
  const document = parseDocument(text)
  const listeners: unknown = document.errors.length > 0 ? undefined : document.toJS()?.listeners
  if (typeof listeners !== 'object' || listeners === null) return undefined
  return Object.entries(listeners).find(
    ([, listener]) => listener?.tls?.cert === certificate && listener?.tls?.key === key,
  )?.[0]
}

/** How a client comes in: on a command line, and a few lines each of Python with paho, and of an ESP32 with Arduino. */
export function clientLines(
  host: string,
  port: number,
  authority: string,
  client?: { readonly certificate: string; readonly key: string },
): readonly string[] {
  const own = client === undefined ? '' : `, certfile="${client.certificate}", keyfile="${client.key}"`
  const shell =
    client === undefined ? ' -u NAME -P PASSWORD' : ` --cert ${client.certificate} --key ${client.key}`
  return [
    'To try it:',
    `  mosquitto_pub --cafile ${authority}${shell} -h ${host} -p ${port} -t hello -m world`,
    'Python, with paho:',
    `  client.tls_set(ca_certs="${authority}"${own})`,
    ...(client === undefined ? ['  client.username_pw_set("NAME", "PASSWORD")'] : []),
    `  client.connect("${host}", ${port})`,
    `ESP32, with Arduino (caText is the text of ${authority}; the clock must be right: configTime):`,
    client === undefined
      ? '  WiFiClientSecure tls; tls.setCACert(caText);'
      : '  WiFiClientSecure tls; tls.setCACert(caText); tls.setCertificate(crtText); tls.setPrivateKey(keyText);',
    `  PubSubClient client(tls); client.setServer("${host}", ${port});`,
    client === undefined
      ? '  client.connect("CLIENT-ID", "NAME", "PASSWORD");'
      : '  client.connect("CLIENT-ID");',
  ]
}
