import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { REFUSALS, Refusal, type RefusalCode, asRefusal } from './refusal.ts'

const CODES = Object.keys(REFUSALS)

test('every refusal code is in the reference, and nothing else is', async () => {
  const page = await readFile(new URL('../../docs/reference/refusals.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
  assert.deepEqual(listed, CODES)
})

for (const [code, { status, fallOver, level, fix }] of Object.entries(REFUSALS)) {
  test(`${code} has a status that clients know, and says what to change`, () => {
    assert.match(code, /^[A-Z]+(?:_[A-Z]+)*$/)
    assert.ok([400, 401, 403, 404, 408, 413, 429, 499, 500, 502, 503, 504].includes(status))
    assert.match(fix, /^[A-Z`].*\.$/s)
    assert.doesNotMatch(fix, /\n|  /)
    assert.ok(['info', 'warn', 'error'].includes(level))
    assert.ok(!fallOver || code.startsWith('INFER_'), 'only inference falls over (law 4)')
  })
}

test('an answer that was cut falls over to nobody, since its beginning is with the caller', () => {
  assert.equal(REFUSALS.INFER_CUT.fallOver, false)
})

test('a fault of an issuer or a disk is never an answer about the caller', () => {
  for (const [code, { status }] of Object.entries(REFUSALS)) {
    if (code.endsWith('_UNAVAILABLE')) assert.ok(status >= 500, code)
  }
})

test('a refusal carries its row, its facts and its cause', () => {
  const cause = new Error('inner')
  const refusal = new Refusal('INFER_THROTTLED', 'target `a` is out of capacity', {
    param: 'model',
    retryAfterS: 7,
    cause,
  })
  assert.deepEqual(
    [refusal.name, refusal.code, refusal.message, refusal.status, refusal.fallOver, refusal.param, refusal.retryAfterS],
    ['Refusal', 'INFER_THROTTLED', 'target `a` is out of capacity', 429, true, 'model', 7],
  )
  assert.equal(refusal.cause, cause)
  assert.equal('cause' in new Refusal('INTERNAL', 'x'), false)
})

test('what is thrown and is no refusal becomes INTERNAL, and keeps what it was for the log', () => {
  for (const thrown of [new TypeError('secret text'), 'text', undefined, 7]) {
    const refusal = asRefusal(thrown)
    assert.equal(refusal.code, 'INTERNAL')
    assert.equal(refusal.message, 'the control plane failed, the cause is in its log under this request id')
    assert.equal(refusal.cause, thrown)
  }
  const own = new Refusal('DRAINING', 'this process is stopping, try again')
  assert.equal(asRefusal(own), own)
})

test('messages in the code are one lower-case sentence without a full stop', async () => {
  const messages = await refusalMessages()
  assert.ok(messages.length > 60, `only ${messages.length} messages were found`)
  for (const { file, code, message } of messages) {
    const where = `${file}: ${code} ${message}`
    assert.ok(CODES.includes(code), where)
    assert.match(message, /^(?:[a-z`$0-9]|\\`)/, where)
    assert.doesNotMatch(message, /\.$|\n|  /, where)
  }
})

test('every code is given out somewhere', async () => {
  const given = (await sources()).filter(({ file }) => !/^wire\/.*\/error\.ts$/.test(file))
  const unused = CODES.filter((code) => !given.some(({ content }) => content.includes(`'${code}'`)))
  assert.deepEqual(unused, [])
})

interface FoundMessage {
  readonly file: string
  readonly code: string
  readonly message: string
}

/** Literals of `new Refusal('CODE', '...')` and of the helpers that make one. */
async function refusalMessages(): Promise<FoundMessage[]> {
  const literal = String.raw`\s*(?:'((?:[^'\\\n]|\\.)*)'|${'`'}((?:[^${'`'}\\]|\\.)*)${'`'})`
  const made = new RegExp(String.raw`new Refusal\(\s*'([A-Z_]+)',${literal}`, 'g')
  const helped = new RegExp(String.raw`\b(?:throw|return|=>) (invalid|cut)\(${literal}`, 'g')
  const helpers: Readonly<Record<string, RefusalCode>> = { invalid: 'IDENTITY_INVALID', cut: 'INFER_CUT' }
  const found: FoundMessage[] = []
  for (const { file, content } of await sources()) {
    for (const [, code = '', plain, template] of content.matchAll(made))
      found.push({ file, code, message: plain ?? template ?? '' })
    for (const [, helper = '', plain, template] of content.matchAll(helped)) {
      found.push({ file, code: helpers[helper] ?? '', message: plain ?? template ?? '' })
    }
  }
  return found
}

/** Sources of the product beside the table itself and the tests. */
async function sources(): Promise<{ readonly file: string; readonly content: string }[]> {
  const root = new URL('../', import.meta.url)
  const names = await readdir(root, { recursive: true })
  const wanted = names.filter(
    (name) => name.endsWith('.ts') && !/\.(?:test|suite)\.ts$/.test(name) && name !== 'contract/refusal.ts',
  )
  return Promise.all(
    wanted.toSorted().map(async (file) => ({ file, content: await readFile(new URL(file, root), 'utf8') })),
  )
}
