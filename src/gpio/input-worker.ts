/**
 * The thread that waits for the edges of all inputs: `poll` blocks, and libuv cannot watch a line.
 * It never returns to its event loop; it looks for requests between two polls.
 */
import { readSync } from 'node:fs'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { errnoOf, reasonOf } from '../core/errors.ts'
import type { Edge, WatchRequest, WorkerReport, WorkerSetup } from './input-messages.ts'
import { libc } from './libc.ts'
import { decodeLineEvents, decodePollFd, encodePollFds, lineEventBytes } from './uapi.ts'

const pollTimeoutMs = 250 // how long a change of the inputs, or the end, may wait
const eventsPerRead = 64

const { poll } = await libc()
const { first, waiting, edgesMax } = workerData as WorkerSetup
const events = Buffer.alloc(eventsPerRead * lineEventBytes)
let fds: readonly number[] = []
let isWanted = true
let droppedCount = 0

watch(first)
while (isWanted) {
  postEdges(waitForEdges())
  takeRequests()
}

function watch(request: WatchRequest): void {
  fds = request.fds
  isWanted = fds.length > 0
  report({ kind: 'watching', generation: request.generation })
}

function takeRequests(): void {
  for (;;) {
    const received = parentPort === null ? undefined : receiveMessageOnPort(parentPort)
    if (received === undefined) return
    watch(received.message as WatchRequest)
  }
}

function waitForEdges(): Edge[] {
  const watched = fds
  const pollFds = encodePollFds(watched)
  poll(pollFds, watched.length, pollTimeoutMs)
  const edges: Edge[] = []
  for (const [index, fd] of watched.entries()) {
    const found = decodePollFd(pollFds, index)
    if (found === 'readable') edges.push(...readEdges(fd))
    if (found === 'broken') giveUp(fd, 'the kernel reports an error on the line')
  }
  return edges
}

function readEdges(fd: number): Edge[] {
  try {
    return decodeLineEvents(events, readSync(fd, events)).map((event) => ({ fd, ...event }))
  } catch (error) {
    if (errnoOf(error) !== 'EAGAIN') giveUp(fd, reasonOf(error))
    return []
  }
}

// @NOTE the descriptor must go, or poll would return at once for ever
function giveUp(broken: number, reason: string): void {
  fds = fds.filter((fd) => fd !== broken)
  report({ kind: 'broken', fd: broken, reason })
}

function postEdges(edges: readonly Edge[]): void {
  const room = Math.max(0, edgesMax - Atomics.load(waiting, 0))
  const posted = edges.slice(0, room)
  droppedCount += edges.length - posted.length
  if (posted.length > 0) {
    Atomics.add(waiting, 0, posted.length)
    report({ kind: 'edges', edges: posted })
  }
  // told once there is room again, so that a full queue does not grow by reports of being full
  if (droppedCount > 0 && Atomics.load(waiting, 0) < edgesMax) {
    report({ kind: 'dropped', count: droppedCount })
    droppedCount = 0
  }
}

function report(message: WorkerReport): void {
  parentPort?.postMessage(message)
}
