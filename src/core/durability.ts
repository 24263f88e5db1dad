/** How much of a failure an acknowledged message survives: of the power, of this process, or of neither. */
export type Durability = 'power' | 'crash' | 'memory'
