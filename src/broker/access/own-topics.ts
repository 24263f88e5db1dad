/** Topics that the broker alone publishes to, whatever a list allows. */
export function isBrokersOwn(topic: string): boolean {
  return topic.startsWith('$SYS')
}

/** Why nobody else may. */
export const brokersOwnReason = 'topics below $SYS are the broker’s own'
