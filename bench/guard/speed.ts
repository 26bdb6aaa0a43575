import { scanLong } from '#detect/scan-long.ts'
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
export async function judgeSpeed(): Promise<Outcome[]> {
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
  for (const [name, text] of [
    ['prose', filled(TEXTS['prose'] ?? '', 1024 * KB)],
    ['JSON', filled(TEXTS['JSON'] ?? '', 1024 * KB)],
    ['the worst of these', HARD[worst[0]?.name ?? '']?.(1024 * KB) ?? ''],
  ] as const) {
    const block = await longestBlockMs(text)
    outcomes.push(
      outcome(`event loop blocked at once by 1 MB, ${name}, in slices`, `${block.toFixed(1)} ms`, {
        floor: '10 ms',
        target: '5 ms',
        isMet: block <= 10,
      }),
    )
  }
  return outcomes
}

/** The longest time that nothing else could run while a long text was scanned; middle of three. */
async function longestBlockMs(text: string): Promise<number> {
  const blocks: number[] = []
  for (let repeat = 0; repeat < 3; repeat += 1) {
    let [longest, last, isDone] = [0, performance.now(), false]
    const tick = (): void => {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
      if (!isDone) setImmediate(tick)
    }
    setImmediate(tick)
    await scanLong(text)
    isDone = true
    blocks.push(longest)
  }
  return blocks.sort((a, b) => a - b)[1] ?? Number.NaN
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
