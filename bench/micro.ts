import { startChild } from './child.ts'
import { TESTED_CORE } from './machine.ts'
import type { MicroResult } from './micro/measure.ts'
import type { Section } from './report.ts'

/** Runs the micro-benchmarks in a fresh process. */
export async function runMicro(workFolder: string, isPinned: boolean): Promise<Section> {
  const child = await startChild({
    name: 'the micro-benchmarks',
    args: ['--expose-gc', 'bench/micro/main.ts', workFolder],
    core: isPinned ? TESTED_CORE : undefined,
    ready: /micro: (\{.*\})\n/,
    readyMs: 240_000,
  })
  await child.stop()
  const { results } = JSON.parse(child.url) as { readonly results: readonly MicroResult[] }
  return { name: 'micro', markdown: markdownOf(results), numbers: results }
}

function markdownOf(results: readonly MicroResult[]): string {
  const rows = results.map(
    ({ name, unit, microsPerOperation, repeats, protects }) =>
      `| ${name} | ${unit} | ${micros(microsPerOperation)} | ${Math.round(1e6 / microsPerOperation).toLocaleString('en')} | ${repeats.map(micros).join(', ')} | ${protects} |`,
  )
  return [
    '## Single steps',
    '',
    '| step | of one | µs | a second | repeats, µs | protects |',
    '| --- | --- | ---: | ---: | --- | --- |',
    ...rows,
  ].join('\n')
}

function micros(value: number): string {
  return value.toFixed(value < 10 ? 3 : 1)
}
