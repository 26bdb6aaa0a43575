import type { Finding } from '#contract/screened.ts'
import type { Span } from './data.ts'

/** Our names for the labels of the sets; a label that is not here is judged by its own name. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  MAC: ['MAC_ADDRESS'],
  EMAIL: ['EMAIL_ADDRESS'],
  PHONE: ['PHONE_NUMBER'],
  IBAN: ['IBAN_CODE'],
  IP: ['IP_ADDRESS'],
  DOMAIN: ['DOMAIN_NAME', 'URL'],
  DOMAIN_NAME: ['DOMAIN_NAME', 'URL'],
  URL: ['URL', 'DOMAIN_NAME'],
  DATE: ['DATE_TIME'],
  ADDRESS: ['LOCATION', 'ADDRESS'],
  ORG: ['ORGANIZATION'],
  ZIP: ['ZIP', 'LOCATION'],
}

/** The finding types that a label of the data stands for. `SECRET:rule` is any secret. */
export function typesOf(label: string): readonly string[] {
  return label.startsWith('SECRET:') ? ['SECRET'] : (NAMES[label] ?? [label])
}

export interface Tally {
  /** Marked places, and how many of them a finding of the same type overlaps. */
  truths: number
  hit: number
  /** Findings, and how many of them overlap a marked place of the same type. */
  findings: number
  right: number
}

export function newTally(): Tally {
  return { truths: 0, hit: 0, findings: 0, right: 0 }
}

export interface Score {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

export function scoreOf({ truths, hit, findings, right }: Tally): Score {
  const precision = findings === 0 ? 1 : right / findings
  const recall = truths === 0 ? 1 : hit / truths
  return { precision, recall, f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall) }
}

export function overlaps(finding: Finding, [start, end]: Span): boolean {
  return finding.start < end && finding.end > start
}

/** Counts by value, most first: how misses are told without their texts. */
export function counts(names: readonly string[], most = 25): string {
  const by = new Map<string, number>()
  for (const name of names) by.set(name, (by.get(name) ?? 0) + 1)
  const sorted = [...by].sort((a, b) => b[1] - a[1])
  const more = sorted.length > most ? `, and ${sorted.length - most} more kinds` : ''
  return sorted.length === 0
    ? 'none'
    : sorted
        .slice(0, most)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ') + more
}
