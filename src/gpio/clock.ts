/** Milliseconds of `CLOCK_MONOTONIC`: the clock by which the kernel tells when an edge was. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}
