import { createGatewayMetrics } from '#observe/gateway-metrics.ts'
import { code, pageHead, table } from './generate-markdown.ts'
import { SAMPLE_ENTRY } from './generate-sample.ts'

/** Every series of `/metrics`, with its labels as a sample entry brings them out. */
export function metricsPage(): string {
  const metrics = createGatewayMetrics({
    inFlight: () => 1,
    auditEntries: () => 1,
    auditSigned: () => 1,
    auditCosigned: () => 1,
    witnessAges: () => [['witness', 1]],
    limitStores: () => [['file', 1]],
    auditShipped: () => [['s3-object-lock', 1]],
  })
  metrics.entry(SAMPLE_ENTRY)
  for (const crossing of SAMPLE_ENTRY.crossings) metrics.crossing(crossing)
  const lines = metrics.show().split('\n')
  const rows = lines.flatMap((line) => {
    const [, name, help] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
    if (name === undefined || help === undefined) return []
    const type =
      lines
        .find((candidate) => candidate.startsWith(`# TYPE ${name} `))
        ?.split(' ')
        .at(-1) ?? ''
    return [[code(name), type, labelsOf(lines, name).map(code).join(', '), help]]
  })
  const lead =
    "`GET /metrics` answers in Prometheus' text format, without a credential: scrape it from inside. Series are fed from audit entries and crossings, so what is counted is what is recorded. A histogram has the suffixes `_bucket`, `_sum` and `_count`. Label values come from the configuration and from codes, never from requests."
  return `${pageHead('Metrics', 'src/observe/gateway-metrics.ts', lead)}\n${table(['Name', 'Type', 'Labels', 'What'], rows)}`
}

function labelsOf(lines: readonly string[], name: string): string[] {
  const sample = lines.find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name}_bucket{`)) ?? ''
  return [...sample.matchAll(/([a-z_]+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le')
}
