import type { Chain, Step } from './walk.ts'

/** One line a step, the mend below the step that failed. */
export function report(chains: readonly Chain[]): string {
  const blocks = chains.map(
    ({ name, endpoint, steps }) => `${name}: ${endpoint}\n${steps.map((step) => lineOf(step)).join('')}`,
  )
  const broken = chains.filter((chain) => isBroken(chain)).length
  const count = `${chains.length} ${chains.length === 1 ? 'chain' : 'chains'}`
  const verdict = broken === 0 ? `${count}, all fine` : `${count}, ${broken} broken`
  return `${blocks.join('\n')}\n${verdict}\n`
}

export function isBroken({ steps }: Chain): boolean {
  return steps.some(({ status }) => status === 'failed')
}

const MEND_INDENT = ' '.repeat(11)

function lineOf({ step, status, detail, mend }: Step): string {
  const lines = mend.map((line, at) => `${MEND_INDENT}${at === 0 ? 'mend: ' : '  '}${line}\n`)
  return `  ${status.padEnd(8)} ${step.padEnd(16)} ${detail}\n${lines.join('')}`
}
