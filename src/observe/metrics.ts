/**
 * Counters, gauges and histograms with labels, shown in Prometheus' text format (version 0.0.4).
 * Label values come from configuration and codes only, so the number of series is bounded by them.
 */
type Labels = Readonly<Record<string, string>>

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly series: Map<string, Series>
  readonly buckets: readonly number[]
}

interface Series {
  value: number
  readonly counts: number[]
  count: number
}

export interface Counter {
  add(labels: Labels, by?: number): void
}

export interface Histogram {
  observe(labels: Labels, value: number): void
}

export class Metrics {
  readonly #families: Family[] = []
  readonly #gauges: { readonly family: Family; readonly read: () => number }[] = []

  counter(name: string, help: string): Counter {
    const family = this.#family(name, help, 'counter', [])
    return {
      add: (labels, by = 1) => {
        seriesOf(family, labels).value += by
      },
    }
  }

  /** `buckets` are upper bounds, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const family = this.#family(name, help, 'histogram', buckets)
    return {
      observe: (labels, value) => {
        const series = seriesOf(family, labels)
        series.value += value
        series.count += 1
        let at = 0
        while (at < buckets.length && value > (buckets[at] ?? 0)) at += 1
        series.counts[at] = (series.counts[at] ?? 0) + 1
      },
    }
  }

  /** Read when the metrics are shown. */
  gauge(name: string, help: string, read: () => number): void {
    this.#gauges.push({ family: this.#family(name, help, 'gauge', []), read })
  }

  /** The exposition. */
  show(): string {
    for (const { family, read } of this.#gauges) seriesOf(family, {}).value = read()
    return `${this.#families.flatMap(showFamily).join('\n')}\n`
  }

  #family(name: string, help: string, type: Family['type'], buckets: readonly number[]): Family {
    const family: Family = { name, help, type, series: new Map(), buckets }
    this.#families.push(family)
    return family
  }
}

function seriesOf(family: Family, labels: Labels): Series {
  let key = ''
  for (const name in labels) key += `${key === '' ? '' : ','}${name}="${escapeLabel(labels[name] ?? '')}"`
  let series = family.series.get(key)
  if (series === undefined) {
    series = { value: 0, counts: family.buckets.map(() => 0).concat(0), count: 0 }
    family.series.set(key, series)
  }
  return series
}

function escapeLabel(value: string): string {
  return /["\\\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value
}

function showFamily({ name, help, type, series, buckets }: Family): string[] {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
  for (const [labels, { value, counts, count }] of series) {
    if (type !== 'histogram') {
      lines.push(`${name}${labels === '' ? '' : `{${labels}}`} ${value}`)
      continue
    }
    const comma = labels === '' ? '' : `${labels},`
    let sum = 0
    for (const [at, bound] of [...buckets.map(String), '+Inf'].entries()) {
      sum += counts[at] ?? 0
      lines.push(`${name}_bucket{${comma}le="${bound}"} ${sum}`)
    }
    lines.push(
      `${name}_sum${labels === '' ? '' : `{${labels}}`} ${value}`,
      `${name}_count${labels === '' ? '' : `{${labels}}`} ${count}`,
    )
  }
  return lines
}
