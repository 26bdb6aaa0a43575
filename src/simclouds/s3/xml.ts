const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** One element with text in it. */
export function element(name: string, text: string | number | boolean): string {
  return `<${name}>${escaped(String(text))}</${name}>`
}

/** One element with others in it. */
export function group(name: string, inner: readonly string[]): string {
  return `<${name}>${inner.join('')}</${name}>`
}

/** A whole answer. */
export function documentOf(root: string, inner: readonly string[]): string {
  return `${DECLARATION}<${root} xmlns="${NAMESPACE}">${inner.join('')}</${root}>`
}

/** What is between the tags of each element of this name, markup included. Elements must not contain their like. */
export function innerOf(text: string, name: string): readonly string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g')
  return [...text.matchAll(pattern)].map(([, inner = '']) => inner)
}

/** The text of the first element of this name; undefined when there is none. */
export function textOf(text: string, name: string): string | undefined {
  const [inner] = innerOf(text, name)
  return inner === undefined ? undefined : unescaped(inner)
}

// Characters that XML 1.0 has no place for are kept as references, as S3 writes them.
function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/\p{Cc}/gu, (char) => `&#${char.charCodeAt(0)};`)
}

function unescaped(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex?: string, decimal?: string, name = '') => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    return ENTITIES[String(name)] ?? whole
  })
}
