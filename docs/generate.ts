/**
 * Writes the reference from the code: `node docs/generate.ts` writes docs/reference/, `--check` compares and exits
 * with status 1 and the list of files that differ.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { auditEntryPage } from './generate-audit-entry.ts'
import { commandsPage } from './generate-commands.ts'
import { configPage, configSchemaFile } from './generate-config.ts'
import { metricsPage } from './generate-metrics.ts'
import { refusalsPage } from './generate-refusals.ts'
import { spansPage } from './generate-spans.ts'

const FOLDER = fileURLToPath(new URL('reference/', import.meta.url))

const PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  'config.md': configPage,
  'config.schema.json': configSchemaFile,
  'refusals.md': refusalsPage,
  'metrics.md': metricsPage,
  'commands.md': commandsPage,
  'spans.md': spansPage,
  'audit-entry.md': auditEntryPage,
}

async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg !== '--check')) {
    process.stderr.write('usage: node docs/generate.ts [--check]\n')
    return 2
  }
  const differing: string[] = []
  await mkdir(FOLDER, { recursive: true })
  for (const [name, make] of Object.entries(PAGES)) {
    const wanted = await make()
    const written = await readFile(`${FOLDER}${name}`, 'utf8').catch(() => '')
    if (written === wanted) continue
    differing.push(name)
    if (!args.includes('--check')) await writeFile(`${FOLDER}${name}`, wanted)
  }
  const isCheck = args.includes('--check')
  for (const name of differing) process.stdout.write(`docs/reference/${name} ${isCheck ? 'differs' : 'written'}\n`)
  if (!isCheck || differing.length === 0) return 0
  process.stdout.write('run `node docs/generate.ts` and look at what it changes\n')
  return 1
}

process.exitCode = await main(process.argv.slice(2))
