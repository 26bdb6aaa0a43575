import type { Entry } from '#contract/entry.ts'

/** One entry as a person reads it: outcome, stages as bars, crossings as a table, findings, target, cost. */
export function showEntry(entry: Entry, index: number): string {
  const blocks = [
    head(entry, index),
    stages(entry),
    crossings(entry),
    findings(entry),
    images(entry),
    limits(entry),
    attempts(entry),
    sources(entry),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

function head(entry: Entry, index: number): string {
  const principal = entry.principal
  const who =
    principal === undefined
      ? 'not identified'
      : `${principal.kind} ${principal.subject} of ${principal.tenant}, roles ${principal.roles.join(', ') || 'none'}, by ${principal.via}`
  const rows: readonly (readonly [string, string])[] = [
    ['request', `${entry.id}   entry ${index}   ${new Date(entry.atEpochMs).toISOString()}`],
    [
      'outcome',
      `${entry.outcome} (${entry.status}${entry.code === '' ? '' : ` ${entry.code}`}) in ${entry.ms} ms${entry.firstContentMs < 0 ? '' : `, first content after ${entry.firstContentMs} ms`}`,
    ],
    ['caller', who],
    [
      'model',
      `${entry.alias}${entry.target === '' ? '' : ` -> ${entry.target}`}   ${entry.dialect}${entry.stream ? ', streamed' : ''}`,
    ],
    [
      'policy',
      `${entry.policy.policies.join(', ') || 'none'}   guard ${entry.policy.guardProfile || 'none'}${entry.policy.forbidden.length === 0 ? '' : `   forbidden targets ${entry.policy.forbidden.join(', ')}`}`,
    ],
    [
      'safety',
      `${entry.safety.verdict}${entry.safety.over.map(({ category, severity }) => ` ${category} ${severity}`).join(',')}`,
    ],
    ['bound', bounds(entry)],
    ['route', route(entry)],
    [
      'digests',
      `prompt ${entry.digests.prompt.slice(0, 16) || 'none'}   answer ${entry.digests.answer.slice(0, 16) || 'none'}`,
    ],
    ['tokens', tokens(entry)],
    ['cost', cost(entry)],
    ['lag', `${entry.lag.stage} in ${entry.lag.place}: ${entry.lag.ms} ms`],
    ['trace', entry.traceId],
  ]
  return rows.map(([name, value]) => `${name.padEnd(9)}${value}`).join('\n')
}

function cost({ cost: { modelMicroUsd, egressMicroUsd, savedMicroUsd } }: Entry): string {
  const saved = savedMicroUsd === undefined ? '' : `, saved ${usd(savedMicroUsd)}`
  return `model ${usd(modelMicroUsd)}, egress ${usd(egressMicroUsd)}${saved}`
}

/** What policy obliged to. */
function bounds({ policy: { jurisdictions, retentionDays, logging, purpose } }: Entry): string {
  const parts = [
    purpose === '' ? '' : `purpose ${purpose}`,
    jurisdictions === undefined ? '' : `to ${jurisdictions.join(', ')}`,
    retentionDays === undefined ? '' : `kept ${retentionDays} days`,
    logging === 'standard' ? '' : logging,
  ].filter((part) => part !== '')
  return parts.join('   ') || 'to nothing'
}

/** How the target was chosen. */
function route({ route: decision }: Entry): string {
  if (decision === undefined) return 'none'
  return decision.line === '' ? decision.kind : `${decision.kind}   ${decision.line}`
}

function tokens({ usage, usageEstimated }: Entry): string {
  const parts = Object.entries(usage).filter(([, count]) => count > 0)
  const text = parts.map(([bucket, count]) => `${bucket} ${count}`).join(', ')
  return `${text === '' ? 'none' : text}${usageEstimated ? ' (estimated: the answer was cut before usage came)' : ''}`
}

const BAR_CHARS = 30

function stages({ stages: own, remote, ms }: Entry): string {
  // What another process did stands under the stage that asked it to.
  const list = own.flatMap((stage) =>
    stage.stage === 'ground' ? [stage, ...remote.map((part) => ({ ...part, stage: ` ${part.stage}` }))] : [stage],
  )
  const rows = list.map(({ stage, place, startMs, ms: own }) => {
    const before = Math.min(BAR_CHARS - 1, Math.floor((startMs / Math.max(ms, 0.001)) * BAR_CHARS))
    const width = Math.max(1, Math.min(BAR_CHARS - before, Math.round((own / Math.max(ms, 0.001)) * BAR_CHARS)))
    return `  ${stage.padEnd(9)} ${place.padEnd(15)} ${own.toFixed(2).padStart(10)} ms  ${' '.repeat(before)}${'▇'.repeat(width)}`
  })
  return `stages\n${rows.join('\n')}`
}

function crossings({ crossings: list }: Entry): string {
  if (list.length === 0) return ''
  const rows = list.map(
    ({ layer, from, to, status, bytesOut, bytesIn, ms, egressMicroUsd, error }) =>
      `  ${layer.padEnd(9)} ${from} -> ${to}   ${error === '' ? status : error}   ${bytesOut} B out, ${bytesIn} B in   ${ms} ms   ${usd(egressMicroUsd)}`,
  )
  return `crossings\n${rows.join('\n')}`
}

function findings({ findings: list }: Entry): string {
  if (list.length === 0) return ''
  return `findings\n${list.map(({ type, action, where, count }) => `  ${type.padEnd(15)} ${action.padEnd(7)} ${where.padEnd(8)} ${count}`).join('\n')}`
}

function attempts({ attempts: list }: Entry): string {
  if (list.length < 2) return ''
  const rows = list.map(
    ({ target, error, ms, role, lostMicroUsd = 0 }) =>
      `  ${target}   ${error === '' ? 'answered' : error}   ${ms} ms${role === undefined ? '' : `   ${role}`}${lostMicroUsd === 0 ? '' : `   about ${usd(lostMicroUsd)} for nothing`}`,
  )
  return `attempts\n${rows.join('\n')}`
}

function images({ images: tally }: Entry): string {
  if (tally === undefined) return ''
  const { count, shrunk, bytesIn, bytesOut } = tally
  return `images\n  ${count}, ${shrunk} made smaller: ${bytesIn} B came, ${bytesOut} B left`
}

function limits({ limits: tally }: Entry): string {
  if (tally === undefined) return ''
  const shown = ({ requests, tokens: count, microUsd }: typeof tally.settled): string =>
    `${requests} requests, ${count} tokens, ${usd(microUsd)}`
  return `limits ${tally.rules.join(', ')}\n  reserved ${shown(tally.reserved)}\n  counted  ${shown(tally.settled)}`
}

function sources({ receipt }: Entry): string {
  if (receipt === undefined) return ''
  const missing = (receipt.missing ?? []).map((what) => `\n  missing: ${what}`).join('')
  return `read by ${receipt.agent}, ${receipt.bytes} B\n${receipt.reads.map(({ collection, document, digest }) => `  ${collection}/${document}   sha256 ${digest.slice(0, 16)}…`).join('\n')}${missing}`
}

function usd(micro: number): string {
  return `$${(micro / 1e6).toFixed(9).replace(/0+$/, '').replace(/\.$/, '')}`
}
