// Whether memory has stayed what it was.

/**
 * Of one life of the daemon, without its first five minutes: flat is
 *   1. the median of the last five minutes is not above that of the first five by more than a tenth and 10 MB
 *   2. in the second half it has not grown by more than 8 MB, by the median of the slopes between all its minutes
 */
export const flat = { factor: 1.1, mb: 10, lateMb: 8, warmUpMinutes: 5, judgedMinutes: 20 }

/**
 * @param samples { ms, mb } of one life
 * @returns { startMb, middleMb, endMb, mbPerHour, isJudged, isFlat }: of a life that is too short the figures alone
 */
export function judgeMemory(samples) {
  const minutes = perMinute(samples)
  const isJudged = minutes.length >= flat.judgedMinutes
  const warmUp = isJudged ? flat.warmUpMinutes : Math.floor(minutes.length / 5)
  const after = minutes.slice(warmUp)
  if (after.length === 0) return { isJudged: false, isFlat: true }
  const few = isJudged ? 5 : 1
  const startMb = median(after.slice(0, few))
  const endMb = median(after.slice(-few))
  const late = after.slice(Math.floor(after.length / 2))
  const mbPerMinute = slope(late)
  return {
    startMb,
    middleMb: median(after.slice(Math.floor(after.length / 2)).slice(0, few)),
    endMb,
    mbPerHour: mbPerMinute * 60,
    isJudged,
    isFlat:
      !isJudged || (endMb <= startMb * flat.factor + flat.mb && mbPerMinute * late.length <= flat.lateMb),
  }
}

function perMinute(samples) {
  const minutes = []
  for (const { ms, mb } of samples) {
    const minute = Math.floor((ms - samples[0].ms) / 60_000)
    minutes[minute] ??= []
    minutes[minute].push(mb)
  }
  return minutes.filter((values) => values !== undefined).map(median)
}

/** The median of the slopes between all pairs (Theil and Sen): a few high minutes do not move it. */
function slope(values) {
  const slopes = []
  for (let to = 1; to < values.length; to++)
    for (let from = 0; from < to; from++) slopes.push((values[to] - values[from]) / (to - from))
  return slopes.length === 0 ? 0 : median(slopes)
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2
}
