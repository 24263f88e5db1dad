// The faults there are: each does it, waits, and puts it right again.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const vandals = join(import.meta.dirname, 'vandals.mjs')

/**
 * @param world { daemon, house, disk, far, traffic, guests, acts }
 * @param factor of the times, 1 for an hour's run: a short one has short faults
 */
export function kindsOf({ daemon, house, disk, far, traffic, guests, acts }, factor, counts) {
  const pause = (seconds) => sleep(seconds * 1_000 * factor * (0.75 + Math.random() / 2))
  const ms = (seconds) => seconds * 1_000 * factor
  const frozen = guests.find(({ freeze }) => freeze !== undefined)
  const slow = traffic.readers.get('slow')
  return {
    'kill -9': async () => {
      await daemon.kill()
      const wrong = await acts.checkRetained()
      counts.retainedWrong.push(...wrong)
      return `up in ${Math.round(daemon.lives.at(-1).startMs)} ms`
    },
    'the daemon frozen': async () => {
      daemon.freeze()
      await pause(6)
      daemon.thaw()
    },
    'a subscriber frozen': async () => {
      frozen.freeze()
      await pause(40)
      frozen.thaw()
    },
    'a reader that never reads': async () => {
      slow.client.pause()
      await pause(40)
      slow.client.resume()
    },
    vandals: () => misbehave(['100', `${30 * factor}`]),
    'a storm of connections': () => misbehave(['100', `${10 * factor}`, '--storm']),
    "a publisher's cable": async () => {
      for (let count = 0; count < 5; count++) {
        await traffic.pull()
        await sleep(500)
      }
    },
    'the bridge cut': () => far.cut(ms(20)),
    'the other broker frozen': () => far.freeze(ms(30)),
    'the other broker stopped': () => far.leave(ms(20), false),
    'the other broker killed': () => far.leave(ms(20), true),
    'the webhook down': async () => {
      acts.hook.isDown = true
      await pause(20)
      acts.hook.isDown = false
    },
    'a change of the configuration': async () => {
      await house.changeWell()
      daemon.reload()
      await sleep(3_000)
    },
    'a mistake in the configuration': async () => {
      await house.changeBadly()
      daemon.reload()
      await sleep(5_000)
      await house.restore()
      daemon.reload()
      await sleep(2_000)
    },
    ...(disk.canBeFilled && {
      'the disk full': async () => {
        const leftBytes = await disk.fill()
        await pause(20)
        await disk.clear()
        return `${leftBytes} bytes were left`
      },
    }),
  }

  async function misbehave(argv) {
    const child = fork(vandals, [`${house.port}`, ...argv])
    const [{ done, early }] = await once(child, 'message')
    await once(child, 'exit')
    const total = Object.values(done).reduce((sum, count) => sum + count, 0)
    counts.vandals += total
    return `${total} clients, ${early} of them before they were connected`
  }
}
