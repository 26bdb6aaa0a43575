import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHtml } from './html.ts'
import { parseMarkdown } from './markdown.ts'
import { parse } from './parse.ts'
import { ParseError } from './parsed.ts'
import { decodeText } from './plain.ts'

test('markdown keeps its text and tells where its headings are', () => {
  const source =
    '# One #\n\ntext\n\n```sh\n# not a heading\n```\n\nTwo **bold**\n---\n\n- item\n---\n\n## [Three](x.md)\n'
  const { text, headings, title } = parseMarkdown(source)
  assert.equal(text, source)
  assert.equal(title, 'One')
  assert.deepEqual(
    headings.map(({ level, title: own, start, end }) => [level, own, source.slice(start, end)]),
    [
      [1, 'One', '# One #'],
      [2, 'Two bold', 'Two **bold**\n---'],
      [2, 'Three', '## [Three](x.md)'],
    ],
  )
})

test('front matter gives the title and is no text', () => {
  const { text, title } = parseMarkdown('---\ntitle: "Security"\nowner: me\n---\n\n# Other\n')
  assert.equal(title, 'Security')
  assert.equal(text, '\n# Other\n')
})

test('HTML becomes lines, without scripts, styles and navigation', () => {
  const { text, headings, title } = parseHtml(
    '<!doctype html><head><title>A &amp; B</title><style>p{}</style></head><body><nav>menu</nav><h1>Head<b>ing</b></h1>' +
      '<p class="a>b">One&nbsp;two<br>three<!-- no --> &#x41;<script>if (a < b) {}</script></p><ul><li>x<li>y</ul>' +
      '<table><tr><td>1<td>2</table>',
  )
  assert.equal(title, 'A & B')
  assert.equal(text.trim(), 'Heading\n\nOne two\nthree A\n\n- x\n- y\n\n1 | 2')
  assert.deepEqual(headings, [{ level: 1, title: 'Heading', start: 0, end: 7 }])
})

test('HTML parsing never throws, and its headings lie inside the text', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '<p',
    '</p>',
    '<h1>',
    '</h1>',
    '<script>',
    '<!--',
    '"',
    ' a="',
    '&amp;',
    'x',
    '<nav>',
    '</',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
      const { text, headings } = parseHtml(pieces.join(''))
      for (const { start, end } of headings) assert.ok(start < end && end <= text.length)
    }),
    { numRuns: 200 },
  )
})

test('hostile HTML takes linear time', () => {
  for (const piece of ['<', '<a ', '<a x="', '<!--', '<script>', '<title>', '<h1>', '</script', '&#', '<p>\n']) {
    const startedMs = performance.now()
    parseHtml(piece.repeat(100_000))
    assert.ok(performance.now() - startedMs < 2000, piece)
  }
})

test('text is decoded by its byte order mark, as UTF-8, or as Windows-1252', () => {
  assert.equal(decodeText(new Uint8Array([0xff, 0xfe, 0x41, 0])), 'A')
  assert.equal(decodeText(new TextEncoder().encode('\uFEFFgrün')), 'grün')
  assert.equal(decodeText(new Uint8Array([0x67, 0xfc])), 'gü')
  assert.throws(() => decodeText(new Uint8Array([0x41, 0, 0x42])), { fate: 'corrupt' })
})

test('a broken PDF is corrupt, whatever it holds', async (t) => {
  const isInstalled = await import('unpdf').then(
    () => true,
    () => false,
  )
  if (!isInstalled) return t.skip('unpdf is not installed')
  for (const contents of ['no pdf', '%PDF-1.7\n%%EOF']) {
    await assert.rejects(
      Array.fromAsync(parse({ name: 'a.pdf', bytes: new TextEncoder().encode(contents) })),
      (error) => error instanceof ParseError && error.fate === 'corrupt',
    )
  }
  return undefined
})
