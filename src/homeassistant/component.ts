/**
 * One entity of a device, or one of its triggers, with the words of Home Assistant's MQTT integration
 * (https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload). `p` is the platform.
 */
export interface Component {
  readonly p: string
  readonly [option: string]: unknown
}

/** Components by their keys, which name the device's parts for as long as they are told of. */
export type Components = ReadonlyMap<string, Component>

/** What all components of a house need to know. */
export interface HouseNames {
  /** `damselfly/NAME` */
  readonly topic: string
  /** Goes before what tells the components apart, in `unique_id`. */
  readonly id: string
}
