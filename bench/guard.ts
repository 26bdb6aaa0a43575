import { existsSync } from 'node:fs'
import { RULES_VERSION } from '#detect/scan.ts'
import { judgeBenign, judgeCode, judgeRuleCases } from './guard/credentials.ts'
import { judgeEvasion } from './guard/evasion.ts'
import type { Outcome } from './guard/outcome.ts'
import { judgePersonal, judgeRecognisers } from './guard/personal.ts'
import { judgeSpeed } from './guard/speed.ts'
import { judgeSurfaces } from './guard/surfaces.ts'
import type { Section } from './report.ts'

/**
 * Judges the in-process detectors on labelled texts that lie outside the repository: counts and kinds are told, never
 * texts. A match is an overlap with the marked place, of the same type.
 * @throws {Error} when no folder is given.
 */
export async function runGuard(folder: string | undefined): Promise<Section> {
  if (folder === undefined || !existsSync(folder))
    throw new Error('`guard` needs the folder with the labelled texts: --data DIR')
  const groups: readonly (readonly [title: string, rows: readonly Outcome[]])[] = [
    ['Credentials', [...judgeRuleCases(folder), ...judgeCode(folder), ...judgeBenign(folder)]],
    ['Personal data', [...judgePersonal(folder), ...judgeRecognisers(folder)]],
    ['Evasion', judgeEvasion(folder)],
    ['Surfaces', judgeSurfaces(folder)],
    ['Speed', await judgeSpeed()],
  ]
  return {
    name: 'guard',
    markdown: [
      '## The guard on labelled texts',
      '',
      `Rules ${RULES_VERSION}. Overlap with the marked place and the same type is a match.`,
      ...groups.flatMap(([title, rows]) => ['', `### ${title}`, '', ...tableOf(rows)]),
    ].join('\n'),
    numbers: { rules: RULES_VERSION, groups: Object.fromEntries(groups) },
  }
}

function tableOf(rows: readonly Outcome[]): string[] {
  return [
    '| what | measured | floor | target | met | missed |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ name, value, floor, target, isMet, misses }) =>
        `| ${name} | ${value} | ${floor} | ${target} | ${isMet === undefined ? '' : isMet ? 'yes' : '**no**'} | ${misses.replaceAll('|', '\\|')} |`,
    ),
  ]
}
