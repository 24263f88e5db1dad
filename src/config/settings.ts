import type { AccessList, User } from '../core/access.ts'
import type { AllowAnonymous, Bind } from '../core/bind.ts'
import type { Bridge } from '../core/bridge.ts'
import type { Durability } from '../core/durability.ts'
import type { HomeAssistantSettings } from '../core/home-assistant.ts'
import type { HttpPlace } from '../core/http-place.ts'
import type { LimitName } from '../core/limits.ts'
import type { Listener } from '../core/listener.ts'
import type { Pin, Sensor } from '../core/pin.ts'
import type { RemoteBroker } from '../core/remote-broker.ts'
import type { Rule } from '../core/rule.ts'
import type { Secret } from '../core/secret.ts'
import type { TelemetrySettings } from '../core/telemetry.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** A file of the configuration folder that says who may do what. */
export type AccessFile = 'users' | 'acl'

/** Everything that `.env`, the environment and `damselfly.yaml` say: checked, typed, complete. */
export interface Settings {
  /** This Damselfly's name in topics: `damselfly/NAME/status`. No `/`, `+` or `#`. */
  readonly name: string
  /** The broker elsewhere that we are attached to; undefined when we are the broker. */
  readonly remote: RemoteBroker | undefined
  readonly bind: readonly Bind[]
  readonly port: number
  readonly allowAnonymous: AllowAnonymous
  /** The one name and password that LAN clients use; undefined when none is set. */
  readonly credentials: { readonly username: string; readonly password: Secret } | undefined
  /** Absolute. */
  readonly dataDir: string
  /** Absolute. */
  readonly configDir: string
  /** Where the control socket is; absolute. */
  readonly controlSocket: string
  /** `auto`, `simulated` or the path of a chip's device. */
  readonly gpioChip: string
  /** A folder like `/sys/class/pwm`, absolute; undefined: that one, or the simulator where GPIO is simulated. */
  readonly pwmDir: string | undefined
  readonly logLevel: LogLevel
  readonly logFormat: 'pretty' | 'json'
  readonly durability: Durability
  /** Whether the LAN can find the broker by mDNS. */
  readonly mdns: boolean
  /** How often `$SYS/broker/…` is told; 0 for never. */
  readonly systemIntervalMs: number
  /** Where metrics and health are told over HTTP; undefined: nowhere. */
  readonly http: HttpPlace | undefined
  /** The bounds that are set; the others have their defaults. */
  readonly limits: Readonly<Partial<Record<LimitName, number>>>
  /** The file of users, as far as there is one. */
  readonly users: readonly User[]
  /** Undefined without a file `acl`: everybody may publish and subscribe whatever there is. */
  readonly acl: AccessList | undefined
  /** Which of the two files there are. */
  readonly accessFiles: readonly AccessFile[]
  /** Every way in, that of `BIND` and `PORT` first. */
  readonly listeners: readonly Listener[]
  /** None where the broker is elsewhere. */
  readonly bridges: readonly Bridge[]
  readonly pins: readonly Pin[]
  readonly sensors: readonly Sensor[]
  /** How the machine is; undefined: not told. */
  readonly telemetry: TelemetrySettings | undefined
  readonly homeAssistant: HomeAssistantSettings
  readonly rules: readonly Rule[]
  /** The files that were read, absolute: a change in one of them calls for a reload. */
  readonly files: readonly string[]
}
