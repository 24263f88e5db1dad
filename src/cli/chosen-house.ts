import { findHouse, type House } from '../config/house.ts'

/** The house that a command is about; says so, on standard error, when it is the installed service's. */
export async function chosenHouse(): Promise<House> {
  const house = await findHouse({ cwd: process.cwd() })
  if (house.isService) console.error(`settings of the service, in ${house.cwd}`)
  return house
}
