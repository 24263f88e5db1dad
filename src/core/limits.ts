/**
 * Every bound in the house, by name, as it holds unless the settings say otherwise. What can grow has one here, and a
 * counter of the same name (`core/counters.ts`) that says how often it was reached. The values suit a Raspberry Pi.
 */
export const limitDefaults = {
  /** Clients connected at once; the next one is turned away. */
  connectionsMax: 10_240,
  /** Bytes of one MQTT packet, fixed header included, once a client is connected. */
  packetBytesMax: 10 * 1024 * 1024,
  /** Bytes of the first packet, CONNECT, when we know nothing of the peer yet. */
  connectPacketBytesMax: 256 * 1024,
  /** Bytes of any packet but PUBLISH after CONNECT: only messages are long. */
  controlPacketBytesMax: 256 * 1024,
  /** Filters in one SUBSCRIBE or UNSUBSCRIBE: all of them are handled in one turn of the event loop. */
  filtersPerPacketMax: 2_000,
  /** Connections that have not been answered yet; beyond it the oldest of them is closed. */
  unansweredConnectionsMax: 1_024,
  /** Bytes of connections that have not been answered yet, together; beyond it the one that holds most of them is closed. */
  unansweredBytesMax: 16 * 1024 * 1024,
  /** Bytes that come before TLS is there; nobody's certificates are longer. */
  handshakeBytesMax: 32 * 1024,
  /** Time from accept to CONNECT. */
  connectTimeoutMs: 10_000,
  /** Bytes of the head of the request by which a WebSocket begins. */
  upgradeHeaderBytesMax: 8 * 1024,
  /** The longest keep alive, in seconds; a longer one, or none, is answered with this one [MQTT-3.2.2-21]. */
  keepAliveSecondsMax: 65_535,
  /** Messages of QoS 1 and 2 on their way to a client, and from it, that have not been acknowledged (Receive Maximum). */
  inflightMessagesMax: 100,
  /** Topic aliases of one connection, in each direction. */
  topicAliasesMax: 32,
  /** Subscriptions of one session; one more is refused. */
  subscriptionsMax: 20_000,
  /** Bytes that the subscriptions of all sessions take, about, half of it those of one owner; one that does not fit is refused. */
  subscriptionBytesMax: 64 * 1024 * 1024,
  /** Bytes of the wills that are not published yet, half of it of one owner; a client whose will does not fit is refused. */
  willBytesMax: 16 * 1024 * 1024,
  /** Sessions that outlive their connection; beyond it the one of the owner with most that has been away longest is ended. */
  sessionsMax: 10_000,
  /** The longest session expiry interval, in seconds; a longer one is cut [MQTT-3.2.2-22]. 4,294,967,295 is never. */
  sessionExpirySecondsMax: 0xffff_ffff,
  /** Bytes of a topic or filter. The protocol allows 65,535; nobody needs them, and they cost. */
  topicBytesMax: 4_096,
  /** Levels of a topic or filter. */
  topicLevelsMax: 100,
  /** Retained messages; one for a further topic is delivered, and not retained. */
  retainedMessagesMax: 200_000,
  /** Bytes of retained topics and payloads; one that does not fit is delivered, and not retained. */
  retainedBytesMax: 64 * 1024 * 1024,
  /** Messages of QoS 1 and 2 that wait for one session; beyond it the oldest goes. */
  sessionQueueMessagesMax: 10_000,
  /** Bytes of their topics and payloads; beyond it the oldest goes. */
  sessionQueueBytesMax: 16 * 1024 * 1024,
  /** Bytes that wait for one connection to be read; a client that reads so slowly is disconnected. */
  outputBytesMax: 2 * 1024 * 1024,
  /** Answers to one connection that wait for the store or for memory; beyond it its socket is read later. */
  heldAnswersMax: 10_000,
  /** Bytes of messages that wait to be written to the disk, what each takes beside them included; what would be more is refused. */
  unkeptBytesMax: 16 * 1024 * 1024,
  /** How long the disk may take to write something; then what waits for it is refused. */
  keepMsMax: 30_000,
  /** Messages a second from one client, 0 for any number; beyond it its socket is read later. */
  messageRateMax: 0,
  /** Bytes that wait in all sessions and connections together; beyond it acknowledgements are withheld. */
  memoryBytesMax: 128 * 1024 * 1024,
  /** Bytes read from one connection before the others have their turn. */
  turnBytesMax: 128 * 1024,
  /** Bytes of the routes of topics that are remembered; the one least used goes. */
  routeBytesMax: 8 * 1024 * 1024,
  /** Topics whose matching rules are remembered. */
  matchCacheTopicsMax: 4_096,

  /** Messages that wait for a broker elsewhere; beyond it the oldest is dropped. */
  linkMessagesMax: 10_000,
  /** Bytes of topics and payloads that wait for it; beyond it the oldest is dropped. */
  linkBytesMax: 16 * 1024 * 1024,
  /** How long messages wait for it, and it may keep some for us: what is older is not obeyed. Retained ones are states, and wait. */
  linkWaitMsMax: 300_000,
  /** Messages on the way to it that it has not acknowledged. */
  linkInflightMax: 64,
  /** How long the oldest of them may stay so; then the connection is ended, and they are sent again. */
  linkAckMsMax: 30_000,
  /** Messages of ours that we know again when it sends them back to us. */
  linkEchoesMax: 10_000,
  /** Bytes of its retained messages that wait for whoever reads them; one that does not fit is skipped. */
  linkRetainedBytesMax: 16 * 1024 * 1024,

  /** Bridges; one more is a mistake in the configuration. */
  bridgesMax: 32,
  /** Topics whose names on the other side one bridge remembers, in each direction; then it begins anew. */
  bridgeTopicsRemembered: 1_000,
  /** Connections in a row that the other broker may end while the same message is the first on its way; then that is given up. */
  bridgeAttemptsMax: 5,

  /** Messages that wait in one rule; beyond it the oldest is dropped. */
  ruleQueueMessagesMax: 20_000,
  /** Bytes that wait in one rule, what a message takes beside its payload included; beyond it the oldest is dropped. */
  ruleQueueBytesMax: 16 * 1024 * 1024,
  /** Topics that one rule works on at the same time. */
  ruleLanesMax: 16,
  /** Topics for which one rule remembers `throttle`, `debounce`, `until`, `after`, `count`, `changed`, or the last message (`retained: true`). */
  ruleTimersMax: 10_000,
  /** Messages of one topic whose times one rule remembers for `count("5m")`; it counts no further. */
  countTimesMax: 10_000,
  /** Times that one rule remembers for all its topics. */
  ruleCountTimesMax: 100_000,
  /** Topics that expressions name in `last(…)`. */
  lastTopicsMax: 1_000,
  /** Bytes of payload remembered for `last(…)`, all topics together; a payload that does not fit is not kept. */
  lastBytesMax: 256 * 1024,
  /** How many rules may follow from one message by publishing to each other. */
  ruleDepthMax: 8,
  /** Time that one step may take, unless its action or its `timeout:` says otherwise. */
  stepTimeoutMs: 30_000,
  /** Runs of one step that passed their time limit and have not returned yet; beyond it the step is refused. */
  abandonedRunsMax: 32,

  /** Nodes in one expression's syntax tree. */
  expressionNodesMax: 1_000,
  /** Steps of one evaluation: an element that a macro or a comparison looks at, or 64 characters of a text. */
  expressionStepsMax: 250_000,
  /** Patterns from messages (`matches(payload.pattern)`) that stay compiled; the oldest goes. */
  expressionPatternsRemembered: 64,
  /** Characters of one pattern for `matches`. */
  expressionPatternCharsMax: 1_000,
  /** Bytes of a program's output that `exec` keeps. */
  execOutputBytesMax: 1024 * 1024,
  /** Bytes of an answer that `http` reads. */
  httpAnswerBytesMax: 64 * 1024,
  /** Rows that wait to be written by `store`; beyond it a step fails. */
  storeRowsMax: 10_000,
  /** Bytes of text and blobs in the rows that wait to be written by `store`; beyond it a step fails. */
  storeBytesMax: 16 * 1024 * 1024,
  /** Tables that `store` makes; a step that needs one more fails. */
  storeTablesMax: 100,
  /** Columns of one of its tables; a step that needs one more fails. */
  storeColumnsMax: 100,
  /** How long rows are refused after the thread that writes them has failed; then it is started again. */
  storePauseMs: 5_000,
  /** Characters of one text that `log` writes; the rest is cut off. */
  logTextCharsMax: 4_096,
  /** Edges that wait between the input worker and the process. */
  inputEdgesMax: 4_096,
  /** Messages of pins that the broker has not accepted yet; beyond it edges are dropped, states wait. */
  pinMessagesMax: 1_024,
  /** Connections to the control socket; the next one takes the place of the oldest that watches nothing. */
  controlConnectionsMax: 16,
  /** Those of them that watch: fewer, so that somebody can always ask. */
  controlWatchersMax: 14,
  /** Bytes of one request on the control socket; a longer one is skipped, and answered with an error. */
  controlLineBytesMax: 32 * 1024,
  /** Bytes that wait for a reader of the control socket; what is traced beyond it is dropped, and the reader told how much. */
  controlBacklogBytesMax: 512 * 1024,
  /** Connections to the HTTP server; one more is closed. */
  httpConnectionsMax: 32,
  /** Topics that all who watch topics are told of together; messages of one more are only counted. */
  watchedTopicsMax: 5_000,
  /** Bytes of a payload that a trace shows. */
  tracePayloadBytesMax: 1_024,
  /** Messages of which one watcher of a trace is told late steps; the oldest is forgotten. */
  traceMessagesRemembered: 10_000,
  /** Totals of counters that are kept for pins that count and pins that did; beyond it those longest gone are forgotten. */
  pulseTotalsKept: 1_000,
  /** Sensors; one more is a mistake in the configuration. */
  sensorsMax: 64,
  /** The shortest `every:` of a sensor; a 1-Wire sensor needs 750 ms for a reading. */
  sensorEveryMsMin: 1_000,
  /** Time that one reading of a sensor may take. */
  sensorReadMsMax: 10_000,
  /** Bytes of a sensor's file; a larger one is no number. */
  sensorFileBytesMax: 4_096,
  /** Ways in below `listeners:`; one more is a mistake in the configuration. */
  listenersMax: 32,
  /** Bytes of a file with certificates, a key or revoked certificates; a larger one is refused. */
  certificateFileBytesMax: 1024 * 1024,
  /** Bytes of `damselfly.yaml`; a larger file is refused. */
  configBytesMax: 256 * 1024,
  /** Bytes of `.env`, and of a credential's file; a larger file is refused. */
  dotenvBytesMax: 64 * 1024,
  /** Maps, lists and values in `damselfly.yaml`, aliases counted as what they stand for. */
  configNodesMax: 50_000,
  /** How deep maps and lists may stand in each other in `damselfly.yaml`. */
  configDepthMax: 64,
  /** Mistakes told at once; the rest is only counted. */
  configProblemsMax: 100,
  /** The shortest `every:`. */
  everyMsMin: 100,
  /** The longest `debounce:` of a pin; the kernel counts it in microseconds of 32 bits. */
  pinDebounceMsMax: 60_000,
  /** The shortest phase of `blink`. */
  blinkMsMin: 20,
  /** Failures remembered, so that the same one is not logged again and again. */
  repeatsRemembered: 1_000,
  /** Clients whose last refusal is remembered, and as many refusals of whoever was not let in; the oldest goes. */
  refusalsRemembered: 500,
  /** Client ids whose takeovers are remembered, so that a fight for one is seen; the one that was quiet longest goes. */
  takeoversRemembered: 1_000,

  /** Bytes of an access control list; a larger file is refused. */
  aclBytesMax: 1024 * 1024,
  /** Lines of an access control list that speak of topics; one more is a mistake. */
  aclLinesMax: 10_000,
  /** Bytes of decisions by access control lists that are remembered; those that were there first go. */
  decisionBytesMax: 16 * 1024 * 1024,

  /** Users in one file; one more is a mistake. */
  usersMax: 10_000,
  /** Bytes of a file of users; a larger one is refused. */
  usersBytesMax: 4 * 1024 * 1024,
  /** Iterations of a `$7$` hash: each time that its password is verified takes so much longer. */
  passwordIterationsMax: 1_000_000,
  /** Passes (`t=`) of an argon2id hash, likewise. */
  passwordPassesMax: 16,
  /** Bytes of memory that verifying one argon2id hash takes (`m=`, in KiB there). */
  passwordMemoryBytesMax: 128 * 1024 * 1024,
  /** Passwords that wait to be verified; beyond it the oldest one of the address with most of them is refused. */
  passwordChecksMax: 512,
  /** Passwords that were right, so that they need not be verified again; the one not used for longest goes. */
  passwordsRemembered: 2_000,
  /** Addresses, and names, whose wrong guesses are counted; the one that was quiet longest goes. */
  guessersRemembered: 1_000,
  /** Refusals that wait because too many guesses were wrong; beyond it the oldest is sent. */
  delayedRefusalsMax: 256,
  /** Bytes of a packet of multicast DNS; a larger one is not read (RFC 6762 has nearly the same). */
  mdnsBytesMax: 9 * 1024,
  /** Questions and records in one packet of multicast DNS; one with more is not read. */
  mdnsRecordsMax: 256,
  /** Packets of multicast DNS a second that are read; the others are dropped. */
  mdnsPacketRateMax: 200,
  /** Brokers that a search finds; further ones are not told. */
  brokersFoundMax: 100,

  /** Messages that wait in one registration of the library; beyond it the oldest is dropped. */
  clientQueueMessagesMax: 10_000,
  /** Bytes of topics and payloads that wait in one registration; beyond it the oldest is dropped. */
  clientQueueBytesMax: 16 * 1024 * 1024,
  /** Messages of `send` that the broker has not acknowledged yet; one more is refused. */
  clientOutgoingMessagesMax: 10_000,
  /** Bytes of topics and payloads of `send` that the broker has not acknowledged yet; what does not fit is refused. */
  clientOutgoingBytesMax: 16 * 1024 * 1024,
  /** Messages of `send` on their way to the broker at the same time; the others wait. */
  clientInflightMax: 64,
  /** Connections that may be lost while a message is on its way; then it is taken for the cause, and given up. */
  clientAttemptsMax: 5,
  /** Connections of one library client: filters that overlap each other need one each. */
  clientConnectionsMax: 8,
} as const

export type LimitName = keyof typeof limitDefaults

const current: Record<LimitName, number> = { ...limitDefaults }

/** Every bound as it is now: a reload may change it, so read it where it is used and keep no copy. */
export const limits: Readonly<Record<LimitName, number>> = current

/** Changes these bounds for the whole process, and puts all others back to their defaults. At the start and at a reload. */
export function setLimits(changes: Readonly<Partial<Record<LimitName, number>>>): void {
  Object.assign(current, limitDefaults, changes)
}
