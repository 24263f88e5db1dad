import { randomBytes } from 'node:crypto'

let password: string | undefined

/**
 * The two lines of `.env` that let clients on the LAN in. The password is made by chance, the same for as
 * long as the process runs, so that every place where it is shown shows one that can be copied.
 */
export function suggestedCredentials(): readonly [string, string] {
  password ??= randomBytes(9).toString('base64url')
  return ['MQTT_USERNAME=house', `MQTT_PASSWORD=${password}`]
}
