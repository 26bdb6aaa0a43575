/**
 * Counters, gauges and histograms with labels, shown in Prometheus' text format (version 0.0.4).
 * Label values come from configuration and codes only, so the number of series is bounded by them.
 */
interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly series: Map<string, Series>
  readonly buckets: readonly number[]
}

interface Series {
  value: number
  readonly counts: number[]
  count: number
}

export interface Counter {
  /** Label values in the order of the labels' names. */
  add(by: number, ...values: readonly string[]): void
}

export interface Histogram {
  observe(value: number, ...values: readonly string[]): void
}

/** Stands between label values in a series' key; no value holds it. */
const SEPARATOR = '\u0001'

export class Metrics {
  readonly #families: Family[] = []
  readonly #gauges: { readonly family: Family; readonly read: () => number }[] = []
  readonly #labelled: {
    readonly family: Family
    readonly read: () => Iterable<readonly [value: string, gauge: number]>
  }[] = []

  counter(name: string, help: string, labels: readonly string[]): Counter {
    const family = this.#family({ name, help, type: 'counter', labels, series: new Map(), buckets: [] })
    return {
      add: (by, ...values) => {
        seriesOf(family, values).value += by
      },
    }
  }

  /** `buckets` are upper bounds, rising. */
  histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Histogram {
    const family = this.#family({ name, help, type: 'histogram', labels, series: new Map(), buckets })
    return {
      observe: (value, ...values) => {
        const series = seriesOf(family, values)
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
    this.#gauges.push({
      family: this.#family({ name, help, type: 'gauge', labels: [], series: new Map(), buckets: [] }),
      read,
    })
  }

  /** One series a value of `label`; read when the metrics are shown. */
  gauges(
    name: string,
    help: string,
    label: string,
    read: () => Iterable<readonly [value: string, gauge: number]>,
  ): void {
    const family = this.#family({ name, help, type: 'gauge', labels: [label], series: new Map(), buckets: [] })
    this.#labelled.push({ family, read })
  }

  /** The exposition. */
  show(): string {
    for (const { family, read } of this.#gauges) seriesOf(family, []).value = read()
    for (const { family, read } of this.#labelled)
      for (const [value, gauge] of read()) seriesOf(family, [value]).value = gauge
    return `${this.#families.flatMap(showFamily).join('\n')}\n`
  }

  #family(family: Family): Family {
    this.#families.push(family)
    return family
  }
}

function seriesOf(family: Family, values: readonly string[]): Series {
  const key = values.length === 1 ? (values[0] ?? '') : values.join(SEPARATOR)
  let series = family.series.get(key)
  if (series === undefined) {
    series = { value: 0, counts: family.buckets.map(() => 0).concat(0), count: 0 }
    family.series.set(key, series)
  }
  return series
}

function labelText(labels: readonly string[], key: string, more = ''): string {
  const values = key.split(SEPARATOR)
  const pairs = labels.map((label, at) => `${label}="${escapeLabel(values[at] ?? '')}"`).concat(more === '' ? [] : more)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function showFamily({ name, help, type, labels, series, buckets }: Family): string[] {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
  for (const [key, { value, counts, count }] of series) {
    if (type !== 'histogram') {
      lines.push(`${name}${labelText(labels, key)} ${value}`)
      continue
    }
    let sum = 0
    for (const [at, bound] of [...buckets.map(String), '+Inf'].entries()) {
      sum += counts[at] ?? 0
      lines.push(`${name}_bucket${labelText(labels, key, `le="${bound}"`)} ${sum}`)
    }
    lines.push(`${name}_sum${labelText(labels, key)} ${value}`, `${name}_count${labelText(labels, key)} ${count}`)
  }
  return lines
}
