// What a run measures, and for how long. One round takes every measurement once on both sides.

/** About four minutes, one, and two seconds. */
export const plans = {
  full: {
    rounds: 4,
    idleSeconds: 5,
    warmUpSeconds: 1.5,
    handler: [
      { rate: 20, seconds: 3 },
      { rate: 1_000, seconds: 2 },
      { rate: 5_000, seconds: 2 },
    ],
    qos: [0, 1],
    broker: [
      { rate: 1_000, seconds: 1.5 },
      { rate: 5_000, seconds: 1.5 },
    ],
    capacity: { rates: [7_500, 10_000, 15_000, 20_000, 30_000, 40_000], seconds: 0.5, p99MsMax: 50 },
  },
  quick: {
    rounds: 2,
    idleSeconds: 2,
    warmUpSeconds: 1,
    handler: [
      { rate: 20, seconds: 1.5 },
      { rate: 1_000, seconds: 0.5 },
      { rate: 5_000, seconds: 0.5 },
    ],
    qos: [0, 1],
    broker: [{ rate: 5_000, seconds: 0.5 }],
  },
  smoke: {
    rounds: 1,
    idleSeconds: 0.1,
    warmUpSeconds: 0,
    handler: [{ rate: 1_000, seconds: 0.1 }],
    qos: [0, 1],
    broker: [{ rate: 1_000, seconds: 0.1 }],
  },
}
