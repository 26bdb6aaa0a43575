import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'

/**
 * The vendors' published schemas are not part of this repository: their licences and sizes keep them out.
 * `THINPLANE_CONTRACTS` names the folder that holds them; without it the tests that need them are skipped.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDER = resolve(ROOT, process.env['THINPLANE_CONTRACTS'] ?? '../shared/contracts')

/** A schema as JSON, unchecked; undefined, with the test skipped, when it is not there. */
export function contract(context: TestContext, file: string): unknown {
  const path = resolve(FOLDER, file)
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'))
  context.skip(`no vendor schema ${file}: set THINPLANE_CONTRACTS to the folder that holds it`)
  return undefined
}
