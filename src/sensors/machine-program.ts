// A program of its own, run by ask-machine.ts: prints what systeminformation knows of what is asked for, as JSON.
const { cpuTemperature, wifiConnections } = await import('systeminformation')
const asked = process.argv.slice(2)
const found: { temperature?: number; wifi?: number } = {}
if (asked.includes('temperature')) {
  const { main } = await cpuTemperature()
  if (typeof main === 'number' && main > 0) found.temperature = main
}
if (asked.includes('wifi')) {
  const levels = (await wifiConnections()).map(({ signalLevel }) => signalLevel)
  const dbm = levels.filter((level) => typeof level === 'number' && level < 0)
  if (dbm.length > 0) found.wifi = Math.max(...dbm)
}
process.stdout.write(JSON.stringify(found))
