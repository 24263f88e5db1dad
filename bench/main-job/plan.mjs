// What a run measures, and for how long. One round takes every measurement once on both sides.

/** Messages at once, as fast as they are taken: fewer than a rule may have waiting, so that none is dropped. */
const piped = { rate: 'piped', count: 15_000 }

export const plans = {
  /** About five minutes. */
  full: {
    rounds: 5,
    warmUpSeconds: 3,
    // @NOTE some ten seconds after a load V8 tidies its heap once: that belongs to the load, not to what comes next
    settleSeconds: 12,
    idleSeconds: 3,
    qos: [0, 1],
    handler: [{ rate: 20, seconds: 3 }, { rate: 1_000, seconds: 1.5 }, { rate: 5_000, seconds: 1.5 }, piped],
    capacity: { rates: [5_000, 10_000, 20_000, 40_000, 60_000, 80_000], seconds: 0.5, p99MsMax: 50 },
  },
  /** About forty seconds; the figures jump about. */
  quick: {
    rounds: 2,
    warmUpSeconds: 2,
    settleSeconds: 1,
    idleSeconds: 1,
    qos: [0, 1],
    handler: [
      { rate: 20, seconds: 1.5 },
      { rate: 1_000, seconds: 0.5 },
      { rate: 5_000, seconds: 0.5 },
      piped,
    ],
  },
  /** Two seconds, to see that the bench itself works. */
  smoke: {
    rounds: 1,
    warmUpSeconds: 0,
    settleSeconds: 0,
    idleSeconds: 0.1,
    qos: [0, 1],
    handler: [
      { rate: 1_000, seconds: 0.1 },
      { rate: 'piped', count: 100 },
    ],
  },
}
