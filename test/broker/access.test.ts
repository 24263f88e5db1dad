import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Access, type Applicant, judge } from '#src/broker/access.js'
import { Secret } from '#src/core/secret.js'

const credentials = { username: 'house', password: new Secret('right') }
const anonymous = { username: undefined, password: undefined }
const right = { username: 'house', password: Buffer.from('right') }
const wrong = { username: 'house', password: Buffer.from('wrong') }
const stranger = { username: 'stranger', password: Buffer.from('right') }
const nameOnly = { username: 'house', password: undefined }

const table: readonly (readonly [
  Access,
  Omit<Applicant, 'isLocal' | 'clientId'>,
  local: boolean,
  lan: boolean,
])[] = [
  [{ allowAnonymous: 'local', credentials }, anonymous, true, false],
  [{ allowAnonymous: 'local', credentials }, right, true, true],
  [{ allowAnonymous: 'local', credentials }, wrong, false, false],
  [{ allowAnonymous: 'local', credentials }, stranger, false, false],
  [{ allowAnonymous: 'local', credentials }, nameOnly, false, false],
  [{ allowAnonymous: 'everyone', credentials }, anonymous, true, true],
  [{ allowAnonymous: 'everyone', credentials }, wrong, false, false],
  [{ allowAnonymous: 'nobody', credentials }, anonymous, false, false],
  [{ allowAnonymous: 'nobody', credentials }, right, true, true],
  [{ allowAnonymous: 'local', credentials: undefined }, anonymous, true, false],
  [{ allowAnonymous: 'local', credentials: undefined }, stranger, true, false],
  [{ allowAnonymous: 'everyone', credentials: undefined }, stranger, true, true],
  [{ allowAnonymous: 'nobody', credentials: undefined }, stranger, false, false],
]

for (const [access, applicant, local, lan] of table) {
  const who =
    applicant.username === undefined ? 'nobody by name' : `${applicant.username}:${applicant.password}`
  test(`${access.allowAnonymous}${access.credentials ? ' with credentials' : ''}: ${who} gets in ${local ? '' : 'neither '}locally ${lan ? 'and' : local ? 'only' : 'nor'} from the LAN`, () => {
    assert.equal(judge(access, { ...applicant, clientId: 'c', isLocal: true }).isAllowed, local)
    assert.equal(judge(access, { ...applicant, clientId: 'c', isLocal: false }).isAllowed, lan)
  })
}

test('a refusal says what to write into .env', () => {
  const verdict = judge(
    { allowAnonymous: 'local', credentials: undefined },
    { ...anonymous, clientId: 'c', isLocal: false },
  )
  assert.match(
    verdict.isAllowed ? '' : verdict.remedy,
    /\.env, MQTT_USERNAME=house and MQTT_PASSWORD=\S{12}, /,
  )
})

test('nobody may call himself what our own rules and pins are called', () => {
  const verdict = judge(
    { allowAnonymous: 'everyone', credentials },
    { ...right, clientId: 'damselfly', isLocal: true },
  )
  assert.equal(!verdict.isAllowed && verdict.reasonCode, 0x85)
})
