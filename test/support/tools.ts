import { execFileSync } from 'node:child_process'

/**
 * Which of these tools this machine lacks, as a reason to skip a test; false when it has them all.
 * `root` and `paho` (for `/usr/bin/python3`) are tools too.
 */
export function missing(...tools: readonly string[]): string | false {
  const absent = tools.filter((tool) => !has(tool))
  return absent.length > 0 && `needs ${absent.join(', ')}`
}

function has(tool: string): boolean {
  if (tool === 'root') return process.getuid?.() === 0
  try {
    if (tool === 'paho')
      execFileSync('/usr/bin/python3', ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' })
    else execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
