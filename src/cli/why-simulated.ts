/** Why no real line moves. @param choice `GPIO_CHIP` */
export function whySimulated(choice: string): string {
  return choice === 'simulated' ? 'GPIO_CHIP=simulated' : 'this machine has no GPIO chip'
}
