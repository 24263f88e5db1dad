import type { Socket } from 'node:net'

/**
 * Holds back the news that the peer has finished sending until its CONNECT has been dealt with. aedes forgets
 * what it has queued when a connection ends, and so would lose the messages of a program that connects,
 * publishes and leaves without waiting for its CONNACK.
 * The listener must allow half-open connections, or Node ends the other half by itself.
 * @returns tells the news, or lets it through from now on
 */
export function holdEarlyEnd(socket: Socket): () => void {
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...args: unknown[]) => boolean
  let isHolding = true
  let hasEnded = false
  socket.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (!isHolding || event !== 'end') return emit(event, ...args)
    hasEnded = true
    return true
  }
  return () => {
    if (!isHolding) return
    isHolding = false
    if (hasEnded) emit('end')
  }
}
