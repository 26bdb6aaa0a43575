import type { RateNote, RateNotes } from '#contract/limit.ts'
import type { Refusal } from '#contract/refusal.ts'

/** SDKs try again at once or soon; nobody waits longer than this for a window to end. */
const MAX_WAIT_S = 60

/** OpenAI's headers of the tightest rule. */
export function rateHeaders({ requests, tokens }: RateNotes): Record<string, string> {
  return { ...headersOf('requests', requests), ...headersOf('tokens', tokens) }
}

/** Whether a client does well to try again by itself: not where a limit is used up for longer. */
export function isWorthRetrying({ code, retryAfterS = 0 }: Refusal): boolean {
  return !((code === 'LIMIT_RATE' || code === 'LIMIT_BUDGET') && retryAfterS > MAX_WAIT_S)
}

function headersOf(unit: string, note: RateNote | undefined): Record<string, string> {
  if (note === undefined) return {}
  return {
    [`x-ratelimit-limit-${unit}`]: String(note.limit),
    [`x-ratelimit-remaining-${unit}`]: String(note.remaining),
    [`x-ratelimit-reset-${unit}`]: duration(note.resetS),
  }
}

/** As OpenAI writes it: `6m0s`, `1h0m0s`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${whole % 60}s`
}
