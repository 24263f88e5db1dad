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
