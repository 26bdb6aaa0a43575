import { benchAudit } from './audit.ts'
import { benchGuard } from './guard.ts'
import { benchIdentity } from './identity.ts'
import { consumed } from './measure.ts'
import { benchPolicy } from './policy.ts'
import { benchRoute } from './route.ts'
import { benchStream } from './stream.ts'

/*
 * All micro-benchmarks in one process: `node --expose-gc bench/micro/main.ts FOLDER`, the folder for the audit trail.
 * Prints one line of JSON.
 */
const [folder = '.'] = process.argv.slice(2)
const results = [
  ...benchGuard(),
  ...(await benchPolicy()),
  ...(await benchIdentity()),
  ...benchRoute(),
  ...benchStream(),
  ...(await benchAudit(folder)),
]
process.stdout.write(`micro: ${JSON.stringify({ results, consumed: consumed() })}\n`)
