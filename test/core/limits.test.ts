import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { root } from '../support/daemon.js'

const page = readFileSync(join(root, 'docs/limits.md'), 'utf8')
const source = join(root, 'src')
const code = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'core/limits.ts')
  .map((file) => readFileSync(join(source, file), 'utf8'))
  .join('\n')

/** Bounds that are not counted, and why. */
const uncounted: Readonly<Record<string, string>> = {
  earlyPacketsMax: 'the broker library ends the connection',
  connectTimeoutMs: 'the broker library ends the connection',
  drainTimeoutMs: 'the broker library ends the connection',
  topicBytesMax: 'counted as publishes.refused and subscriptions.refused',
  topicLevelsMax: 'counted as publishes.refused and subscriptions.refused',
  linkInflightMax: 'nothing is lost at it: others wait their turn',
  lastTopicsMax: 'a mistake in the configuration, which is told',
  expressionNodesMax: 'a mistake in the configuration, which is told',
  expressionStepsMax: 'counted as rules.conditionErrors and steps.failed',
  expressionPatternsRemembered: 'a pattern is compiled again',
  expressionPatternCharsMax: 'counted as rules.conditionErrors and steps.failed',
  logTextCharsMax: 'the text shows that it was cut',
  repeatsRemembered: 'a line more in the log',
  configBytesMax: 'a mistake in the configuration, which is told',
  dotenvBytesMax: 'a mistake in the configuration, which is told',
  configNodesMax: 'a mistake in the configuration, which is told',
  configDepthMax: 'a mistake in the configuration, which is told',
  configProblemsMax: 'told with the mistakes',
  everyMsMin: 'a mistake in the configuration, which is told',
  tracePayloadBytesMax: 'the trace says how many bytes there were',
  traceMessagesRemembered: 'a step that ends very late is not shown',
  blinkMsMin: 'a shorter phase is refused with its command',
  pinDebounceMsMax: 'a mistake in the configuration, which is told',
  clientInflightMax: 'nothing is lost at it: others wait their turn',
  sensorsMax: 'a mistake in the configuration, which is told',
  sensorEveryMsMin: 'a mistake in the configuration, which is told',
  sensorReadMsMax: 'counted as sensors.failed',
  sensorFileBytesMax: 'counted as sensors.failed',
}

for (const name of Object.keys(limits)) {
  test(`${name} is kept somewhere, explained to owners, and counted under its name or with a reason why not`, () => {
    assert.ok(code.includes(`limits.${name}`), 'no code keeps it')
    assert.ok(page.includes(`\`${name}\``), 'docs/limits.md does not tell of it')
    assert.notEqual(
      code.includes(`'${name}'`),
      name in uncounted,
      'counted, or not counted for a reason: one of both',
    )
  })
}
