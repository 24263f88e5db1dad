export type {
  Client,
  CloseOptions,
  ConnectionState,
  NextOptions,
  RegisterOptions,
  SendOptions,
  StateListener,
} from './client/client.ts'
export { type ConnectOptions, connect } from './client/connect.ts'
export type { ReceivedMessage } from './client/inbox.ts'
export { type LocalAddress, localAddress } from './client/local-address.ts'
export type { Duration } from './client/options.ts'
export {
  type ActionDefinition,
  type ActionLogger,
  defineAction,
  type OptionsSchema,
  type RunContext,
  type StartContext,
} from './core/action.ts'
export { DamselflyError, type ErrorCode } from './core/errors.ts'
export type { Event } from './core/event.ts'
export type { Message, OutgoingMessage, QoS } from './core/message.ts'
export type { PinCommand, PinState, PinValue } from './core/pin.ts'
export type { Hub, Logger, Pins } from './core/ports.ts'
export type { DurationSchema, SchemaTools } from './core/schema.ts'
