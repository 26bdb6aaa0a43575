import { type CrossAnswer, CrossFault } from '#contract/crossing.ts'
import type { Sent } from './shipper.ts'

/** How a batch fared, from the answer of the far side or the absence of one. Nothing is ever given up. */
export async function outcomeOf(send: () => Promise<CrossAnswer>, good: ReadonlySet<number>): Promise<Sent> {
  try {
    const answer = await send()
    const text = await answer.text()
    if (good.has(answer.status)) return { outcome: 'done' }
    const problem = `${new URL(`http://${answer.crossing.host}`).host} answered ${answer.status}${codeOf(text)}`
    if (answer.status === 413) return { outcome: 'too-large', problem }
    return { outcome: 'later', problem, retryAfterMs: retryAfterMs(answer.headers['retry-after']) }
  } catch (error) {
    if (error instanceof CrossFault)
      return { outcome: 'later', problem: `${error.kind}: ${error.message}`, retryAfterMs: undefined }
    throw error
  }
}

/** The vendor's own code, in JSON (Azure) or XML (AWS). */
function codeOf(text: string): string {
  const code =
    /"code"\s*:\s*"([A-Za-z0-9_.]{1,60})"/.exec(text)?.[1] ?? /<Code>([A-Za-z0-9_.]{1,60})<\/Code>/.exec(text)?.[1]
  return code === undefined ? '' : ` ${code}`
}

/** `Retry-After` in seconds; a date is left to the own back-off. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined
}
