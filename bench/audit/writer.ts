import { entryText } from './entry.ts'
import { openBenchTrail } from './trail.ts'

/*
 * Appends without end and says what was acknowledged, for `audit-kill`: `node bench/audit/writer.ts FOLDER WRITERS`.
 * An acknowledgement is a line `index hash` on standard output, written at once.
 */
const [folder = '.', writers = '32'] = process.argv.slice(2)
const trail = await openBenchTrail(folder)
process.stdout.write(`open ${trail.log.size}\n`)
let next = trail.log.size
const write = async (): Promise<void> => {
  for (;;) {
    const { index, hash } = await trail.log.append(entryText(next++))
    process.stdout.write(`${index} ${hash}\n`)
  }
}
await Promise.all(Array.from({ length: Number(writers) }, write))
