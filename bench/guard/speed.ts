import { scan } from '#detect/scan.ts'
import { TEXTS } from '../micro/guard.ts'
import { type Outcome, outcome } from './outcome.ts'

const KB = 1024
const REPEATS = 5

/** What is hard for a scanner: each makes as many candidates as it can. */
export const HARD: Readonly<Record<string, (bytes: number) => string>> = {
  'keyword soup': (bytes) => filled('password=secret:token api_key="AKIA sk-eyJ ghp_ xoxb- Bearer :// ', bytes),
  'one long word': (bytes) => 'a'.repeat(bytes),
  'one long base64 run': (bytes) => filled('QUJDZGVmZ2hp', bytes),
  'nested quotes': (bytes) => filled('"\'`\\"', bytes),
  'digits and separators': (bytes) => filled('1-2 3.4(5)', bytes),
  'at signs': (bytes) => filled('a@', bytes),
  colons: (bytes) => filled('a:', bytes),
  'PEM heads': (bytes) => filled('-----BEGIN RSA PRIVATE KEY-----\n', bytes),
  'JWT heads': (bytes) => filled('eyJhbGciOiJIUzI1NiJ9.', bytes),
  'URL heads': (bytes) => filled('a://b:c', bytes),
  'percent signs': (bytes) => filled('%41', bytes),
  'zero-width': (bytes) => filled('pass\u200bword=', bytes),
  assignments: (bytes) => filled('password="', bytes),
  'assignments without end': (bytes) => filled('password=', bytes),
  'lists of tokens': (bytes) => filled('token:["a","b",', bytes),
  entities: (bytes) => filled('&#65;', bytes),
  'single letters': (bytes) => filled('k ', bytes),
  'short lines of digits': (bytes) => filled('12345\n6@', bytes),
  'curl users': (bytes) => filled('curl -u ', bytes),
  'PEM blocks without end': (bytes) => filled(`-----BEGIN PRIVATE KEY-----\n${'QUJD'.repeat(8)}\n`, bytes),
}

function filled(piece: string, bytes: number): string {
  return piece.repeat(Math.ceil(bytes / piece.length)).slice(0, bytes)
}

/** Microseconds a scan, middle of five after a warm-up; and the worst of what is made to be hard. */
export function judgeSpeed(): Outcome[] {
  const outcomes: Outcome[] = []
  for (const [kb, floor, target] of [
    [1, 100, 60],
    [8, 700, 400],
    [64, 25_000, 10_000],
    [1024, undefined, undefined],
  ] as const) {
    for (const kind of ['prose', 'code', 'JSON']) {
      const micros = medianMicros(filled(TEXTS[kind] ?? '', kb * KB), kb)
      outcomes.push(
        outcome(`scan of ${kb} KB ${kind}`, `${micros.toFixed(0)} µs`, {
          floor: floor === undefined ? '' : `${floor} µs`,
          target: target === undefined ? '' : `${target} µs`,
          isMet: floor === undefined ? undefined : micros <= floor,
        }),
      )
    }
  }
  const hard = Object.entries(HARD).map(([name, make]) => ({ name, micros: medianMicros(make(64 * KB), 64) }))
  const worst = hard.toSorted((a, b) => b.micros - a.micros)
  outcomes.push(
    outcome('worst 64 KB made to be hard', `${((worst[0]?.micros ?? 0) / 1000).toFixed(1)} ms`, {
      floor: '25 ms',
      target: '10 ms',
      isMet: (worst[0]?.micros ?? 0) <= 25_000,
      misses: worst.map(({ name, micros }) => `${name} ${(micros / 1000).toFixed(1)} ms`).join(', '),
    }),
  )
  return outcomes
}

function medianMicros(text: string, kb: number): number {
  const operations = Math.max(1, Math.round(512 / kb))
  const times: number[] = []
  for (let repeat = 0; repeat <= REPEATS; repeat += 1) {
    const started = performance.now()
    for (let at = 0; at < operations; at += 1) scan(text)
    if (repeat > 0) times.push(((performance.now() - started) * 1000) / operations)
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}
