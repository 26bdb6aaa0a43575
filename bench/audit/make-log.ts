import { entryText } from './entry.ts'
import { openBenchTrail } from './trail.ts'

/* Writes a log of so many entries, signed: `node bench/audit/make-log.ts FOLDER ENTRIES`. */
const [folder = '.', entries = '1000000'] = process.argv.slice(2)
const GROUP = 2000
const trail = await openBenchTrail(folder)
for (let from = 0; from < Number(entries); from += GROUP) {
  const count = Math.min(GROUP, Number(entries) - from)
  await Promise.all(Array.from({ length: count }, (_, at) => trail.log.append(entryText(from + at))))
}
await trail.close()
process.stdout.write(`made: ${trail.log.size}\n`)
