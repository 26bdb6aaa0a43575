/**
 * JSON in one form only: keys sorted by UTF-16 code unit, no blanks (RFC 8785 for values that JSON.parse returns).
 * Members that are undefined are left out. Numbers must be finite.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) {
    let text = '['
    for (let at = 0; at < value.length; at += 1) text += (at === 0 ? '' : ',') + canonicalJson(value[at])
    return `${text}]`
  }
  let text = '{'
  for (const key of Object.keys(value).sort()) {
    const member: unknown = (value as Record<string, unknown>)[key]
    if (member !== undefined) text += `${text === '{' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`
  }
  return `${text}}`
}
