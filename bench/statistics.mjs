// Few figures from many.

/** Median, lowest and highest. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2
  return { median, min: sorted[0], max: sorted.at(-1) }
}

/** The nearest rank. */
export function percentile(sorted, percent) {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]
}

/** As text: two digits, for more is more than the rounds agree on. */
export function number(value) {
  return value === 0 ? '0' : Number(value.toPrecision(value >= 1_000 ? 4 : 2)).toLocaleString('en')
}
