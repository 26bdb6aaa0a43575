/** Seconds in a `retry-after` header; undefined when it is absent or neither a number nor a date. */
export function retryAfterSeconds(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '') return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds) && seconds >= 0) return seconds
  // A date has a name in it; Date.parse takes `-3` for one, too.
  const at = /[A-Za-z]/.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000))
}
