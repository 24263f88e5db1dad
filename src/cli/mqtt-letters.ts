/** Which of mosquitto's tools a command stands in for. */
export type MqttTool = 'pub' | 'sub' | 'rr'

export interface Letter {
  /** All its spellings, the shortest first; the others are as good. */
  readonly names: readonly [string, ...string[]]
  readonly tools: readonly MqttTool[]
  /** How the help calls its value; undefined: it has none. */
  readonly value?: string
  readonly help: string
  /** It cannot be had, and what to do instead. */
  readonly refusal?: string
}

const all: readonly MqttTool[] = ['pub', 'sub', 'rr']
const readers: readonly MqttTool[] = ['sub', 'rr']
const senders: readonly MqttTool[] = ['pub', 'rr']

const engines = 'Node knows no engines: give the key as a PEM file with --key'

/**
 * Every option of mosquitto_pub(1), mosquitto_sub(1) and mosquitto_rr(1), 2.0 and 2.1, in the order of the help. What
 * they mean and which exit codes they lead to is as it is there.
 */
export const letters: readonly Letter[] = [
  {
    names: ['-t', '--topic'],
    tools: all,
    value: 'TOPIC',
    help: 'the topic; of sub a filter, and there may be several',
  },
  { names: ['-e'], tools: ['rr'], value: 'TOPIC', help: 'where the answer comes' },
  { names: ['-m', '--message'], tools: senders, value: 'TEXT', help: 'the message' },
  { names: ['-f', '--file'], tools: senders, value: 'FILE', help: 'the content of a file is the message' },
  { names: ['-l', '--stdin-line'], tools: ['pub'], help: 'each line of standard input is a message' },
  { names: ['-s', '--stdin-file'], tools: senders, help: 'all of standard input is the message' },
  {
    names: ['-n', '--null-message'],
    tools: senders,
    help: 'an empty message; with -r it removes what is retained',
  },
  { names: ['-q', '--qos'], tools: all, value: 'LEVEL', help: '0, 1 or 2; 0 unless told' },
  { names: ['-r', '--retain'], tools: ['pub'], help: 'let the broker keep it for those who come later' },
  { names: ['--repeat'], tools: ['pub'], value: 'COUNT', help: 'send the message so many times' },
  { names: ['--repeat-delay'], tools: ['pub'], value: 'SECONDS', help: 'and wait so long in between' },
  { names: ['-v', '--verbose'], tools: readers, help: 'print the topic before the message' },
  {
    names: ['-F', '--format'],
    tools: readers,
    value: 'FORMAT',
    help: 'how to print: %t topic, %p payload, %j all as JSON, and so on',
  },
  { names: ['-N'], tools: readers, help: 'print no line end after a message' },
  { names: ['--pretty'], tools: readers, help: 'print JSON (%j, %J) over several lines' },
  { names: ['-C', '--count'], tools: ['sub'], value: 'COUNT', help: 'end after so many messages' },
  {
    names: ['-W', '--timeout'],
    tools: readers,
    value: 'SECONDS',
    help: 'end after so many seconds, with exit code 27',
  },
  { names: ['-E'], tools: ['sub'], help: 'end when the broker has agreed to all subscriptions' },
  {
    names: ['-T', '--filter-out'],
    tools: ['sub'],
    value: 'FILTER',
    help: 'print nothing of these topics; may be given several times',
  },
  {
    names: ['-U', '--unsubscribe'],
    tools: ['sub'],
    value: 'FILTER',
    help: 'end a subscription; may be given several times',
  },
  { names: ['-R'], tools: readers, help: 'print no retained messages' },
  {
    names: ['--retained-only'],
    tools: ['sub'],
    help: 'print retained messages alone, and end at the first other one',
  },
  {
    names: ['--remove-retained'],
    tools: ['sub'],
    help: 'remove retained messages from the broker as they come',
  },
  {
    names: ['--retain-as-published'],
    tools: ['sub'],
    help: 'show whether it was sent to be retained (MQTT 5)',
  },
  {
    names: ['--random-filter'],
    tools: ['sub'],
    value: 'PERCENT',
    help: 'print so many of a hundred messages, 0.1 to 100',
  },
  {
    names: ['-h', '--host'],
    tools: all,
    value: 'HOST',
    help: 'the broker: a name, an address, a URL (mqtts://…, wss://…), or auto',
  },
  { names: ['-p', '--port'], tools: all, value: 'PORT', help: 'its port; 1883 unless told, with TLS 8883' },
  {
    names: ['-L', '--url'],
    tools: all,
    value: 'URL',
    help: 'all at once: mqtt(s)://NAME:PASSWORD@HOST:PORT/TOPIC',
  },
  { names: ['--unix'], tools: all, value: 'SOCKET', help: 'the path of the broker’s Unix socket' },
  { names: ['-S'], tools: all, help: 'ask DNS for the SRV record of the host' },
  { names: ['-A'], tools: all, value: 'ADDRESS', help: 'connect from this address of this machine' },
  { names: ['-u', '--username'], tools: all, value: 'NAME', help: 'the name to connect with' },
  { names: ['-P', '--pw'], tools: all, value: 'PASSWORD', help: 'the password to connect with' },
  { names: ['-i', '--id'], tools: all, value: 'ID', help: 'the client id; made up unless told' },
  {
    names: ['-I', '--id-prefix'],
    tools: all,
    value: 'PREFIX',
    help: 'the client id is this and the number of the process',
  },
  {
    names: ['-V', '--protocol-version'],
    tools: all,
    value: 'VERSION',
    help: 'mqttv31, mqttv311 or mqttv5; mqttv311 unless told, of rr mqttv5',
  },
  {
    names: ['-k', '--keepalive'],
    tools: all,
    value: 'SECONDS',
    help: 'how often to ask whether the broker is there; 5 to 65535, 60 unless told',
  },
  { names: ['-c', '--disable-clean-session'], tools: all, help: 'let the broker keep the session; needs -i' },
  {
    names: ['-x', '--session-expiry-interval'],
    tools: all,
    value: 'SECONDS',
    help: 'for how long (MQTT 5); -1 for ever',
  },
  {
    names: ['-M', '--max-inflight'],
    tools: all,
    value: 'COUNT',
    help: 'messages on their way at the same time, at most',
  },
  {
    names: ['-D', '--property'],
    tools: all,
    value: 'COMMAND NAME VALUE',
    help: 'a property of MQTT 5, such as: publish content-type text/plain',
  },
  {
    names: ['--will-topic'],
    tools: all,
    value: 'TOPIC',
    help: 'what the broker publishes when the connection breaks',
  },
  { names: ['--will-payload'], tools: all, value: 'TEXT', help: 'with this message' },
  { names: ['--will-qos'], tools: all, value: 'LEVEL', help: 'with this QoS' },
  { names: ['--will-retain'], tools: all, help: 'and keeps it' },
  { names: ['--cafile'], tools: all, value: 'FILE', help: 'use TLS, and trust these authorities alone' },
  {
    names: ['--capath'],
    tools: all,
    value: 'FOLDER',
    help: 'use TLS, and trust the authorities in this folder alone',
  },
  { names: ['--tls-use-os-certs'], tools: all, help: 'use TLS, and trust whom the system trusts' },
  { names: ['--cert'], tools: all, value: 'FILE', help: 'the certificate of this client' },
  { names: ['--key'], tools: all, value: 'FILE', help: 'its key' },
  { names: ['--keyform'], tools: all, value: 'FORM', help: 'of what form it is: pem' },
  { names: ['--ciphers'], tools: all, value: 'LIST', help: 'the ciphers of TLS, as OpenSSL writes them' },
  {
    names: ['--tls-version'],
    tools: all,
    value: 'VERSION',
    help: 'tlsv1.3, tlsv1.2 or tlsv1.1, and no other',
  },
  { names: ['--tls-alpn'], tools: all, value: 'PROTOCOL', help: 'the protocol that TLS names' },
  { names: ['--insecure'], tools: all, help: 'do not ask whom the broker’s certificate is for' },
  { names: ['--psk'], tools: all, value: 'KEY', help: 'TLS with this shared key, in hexadecimal' },
  { names: ['--psk-identity'], tools: all, value: 'NAME', help: 'and this name for it' },
  { names: ['--nodelay'], tools: all, help: 'send small packets at once, which is always done' },
  { names: ['-d', '--debug'], tools: all, help: 'tell each packet' },
  { names: ['--quiet'], tools: all, help: 'tell no failure; the exit code does' },
  {
    names: ['-o', '--options'],
    tools: all,
    value: 'FILE',
    help: 'read options from a file, one a line; those here go before them',
  },
  { names: ['--version'], tools: all, help: 'print the version' },
  { names: ['--help'], tools: all, help: 'print this help' },
  { names: ['--tls-engine'], tools: all, value: 'ENGINE', help: 'not to be had', refusal: engines },
  { names: ['--tls-engine-kpass-sha1'], tools: all, value: 'HASH', help: 'not to be had', refusal: engines },
  {
    names: ['--tls-keylog'],
    tools: all,
    value: 'FILE',
    help: 'not to be had',
    refusal: 'NODE_OPTIONS=--tls-keylog=FILE does it',
  },
  {
    names: ['--proxy'],
    tools: all,
    value: 'URL',
    help: 'not to be had',
    refusal: 'no SOCKS proxy is spoken to: ssh -L 1883:BROKER:1883 HOST makes a way, and -p 1883 takes it',
  },
]

const descriptions: Readonly<Record<MqttTool, readonly [usage: string, what: string, example: string]>> = {
  pub: ['-t TOPIC -m TEXT', 'publish a message', `damselfly pub -t home/lamp/set -m '{"msg":"ON"}'`],
  sub: ['-t FILTER', 'print messages as they come', `damselfly sub -v -t 'home/#'`],
  rr: [
    '-t TOPIC -e TOPIC -m TEXT',
    'send a request, and print the answer',
    'damselfly rr -t home/meter/ask -e home/meter/answer -m now',
  ],
}

/** What `--help` prints. */
export function helpOf(tool: MqttTool): string {
  const [usage, what, example] = descriptions[tool]
  const known = letters.filter(({ tools, refusal }) => tools.includes(tool) && refusal === undefined)
  const heads = known.map(
    ({ names, value }) => `${names.join(', ')}${value === undefined ? '' : ` ${value}`}`,
  )
  const width = Math.max(...heads.map(({ length }) => length))
  const lines = known.map(({ help }, index) => `  ${(heads[index] as string).padEnd(width)}  ${help}`)
  return `Usage: damselfly ${tool} ${usage} [OPTIONS]

${what}; the options are those of mosquitto_${tool}

${lines.join('\n')}

Without -h it is the broker of the settings in .env, with the name and the password that stand there.
-h auto is the one that is found on this network, -h auto:NAME the one of that name.

Example:
  ${example}`
}
