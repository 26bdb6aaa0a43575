import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { entryText } from './entry.ts'
import { openBenchTrail } from './trail.ts'

/*
 * Entries a second with so many writers, each waiting for its entry to be on the disk before the next: `node
 * bench/audit/throughput.ts FOLDER SECONDS REPEATS`. Texts are made beforehand: the recorder makes them in a gateway.
 */
const [folder = '.', seconds = '4', repeats = '3'] = process.argv.slice(2)
const texts = Array.from({ length: 5000 }, (_, index) => entryText(index))
const results: object[] = []
for (const writers of [1, 64, 256]) {
  const rates: number[] = []
  const latencies: number[] = []
  let cpuMicros = 0
  let entries = 0
  for (let repeat = 0; repeat < Number(repeats); repeat += 1) {
    const data = join(folder, `throughput-${writers}-${repeat}`)
    const trail = await openBenchTrail(data)
    let count = 0
    const cpu = process.cpuUsage()
    const started = performance.now()
    const write = async (): Promise<void> => {
      while (performance.now() - started < Number(seconds) * 1000) {
        const at = performance.now()
        await trail.log.append(texts[count++ % texts.length] ?? '')
        if (count % 16 === 0) latencies.push(performance.now() - at)
      }
    }
    await Promise.all(Array.from({ length: writers }, write))
    const { user, system } = process.cpuUsage(cpu)
    rates.push((count * 1000) / (performance.now() - started))
    cpuMicros += user + system
    entries += count
    await trail.close()
    await rm(data, { recursive: true })
  }
  latencies.sort((a, b) => a - b)
  const quantile = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0
  results.push({
    writers,
    entriesPerS: rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)],
    rates,
    cpuMicrosPerEntry: cpuMicros / entries,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  })
}
const paced = await pacedLatencies(Number(seconds) * Number(repeats))
const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / texts.length
process.stdout.write(`audit: ${JSON.stringify({ bytes, results, paced })}\n`)

/**
 * What an entry adds to a request at a thousand requests a second, whether the log keeps up or not: appends are due at
 * fixed times, and each is measured from when it was due to when it is on the disk.
 */
async function pacedLatencies(forS: number): Promise<object> {
  const data = join(folder, 'throughput-paced')
  const trail = await openBenchTrail(data)
  const latencies: number[] = []
  const waiting: Promise<void>[] = []
  const started = performance.now()
  for (let due = started, count = 0; due - started < forS * 1000; due += 1, count += 1) {
    const wait = due - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const own = due
    waiting.push(
      trail.log.append(texts[count % texts.length] ?? '').then(() => {
        latencies.push(performance.now() - own)
      }),
    )
  }
  await Promise.all(waiting)
  await trail.close()
  await rm(data, { recursive: true })
  latencies.sort((a, b) => a - b)
  const quantile = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0
  return { entries: latencies.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: latencies.at(-1) ?? 0 }
}
