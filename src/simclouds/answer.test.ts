import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, piecesOf, type Prompt } from './answer.ts'
import { generate } from './generate.ts'

const PASSAGES = `Answer from these passages.

[1] source: leave-policy.md
# Parental leave
Parental leave lasts 14 weeks at full pay. It may be split into two parts.
- Fathers take at least four weeks.

Requests go to the team lead.

[2] source: expenses.md (Meals)
Meals are refunded up to 40 EUR a day. Receipts are due within 30 days.
`

function ask(question: string, more: Partial<Prompt> = {}): Prompt {
  return {
    system: [],
    turns: [{ role: 'user', text: question }],
    tools: [],
    toolChoice: 'auto',
    schema: undefined,
    ...more,
  }
}

function textOf(prompt: Prompt): string {
  const made = answer(prompt)
  return made.kind === 'text' ? made.text : made.arguments
}

test('the best sentences are given verbatim with their source', () => {
  const system = [PASSAGES]
  assert.equal(
    textOf(ask('How many weeks does parental leave last?', { system })),
    'Parental leave lasts 14 weeks at full pay. [leave-policy.md]',
  )
  assert.match(textOf(ask('When are receipts due?', { system })), /^Receipts are due within 30 days\. \[expenses\.md\]/)
})

test('a question that no passage answers gets no answer', () => {
  assert.equal(
    textOf(ask('Who is the prime minister of Norway?', { system: [PASSAGES] })),
    'The passages that I was given do not say.',
  )
})

test('without passages the user is repeated, placeholders included', () => {
  assert.equal(
    textOf(ask('Write to <EMAIL_ADDRESS_4821>', { system: ['Be nice.'] })),
    'You said: Write to <EMAIL_ADDRESS_4821>',
  )
})

test('only the last user message counts', () => {
  const turns = [
    { role: 'user', text: 'first' },
    { role: 'assistant', text: 'second' },
    { role: 'user', text: 'third' },
  ] as const
  assert.equal(textOf(ask('', { turns })), 'You said: third')
})

const EMAIL_TOOL = {
  name: 'send_email',
  parameters: {
    type: 'object',
    properties: {
      email: { type: 'string' },
      urgent: { type: 'boolean' },
      copies: { type: 'integer' },
      tone: { enum: ['plain', 'warm'] },
      tags: { type: 'array', items: { type: ['null', 'string'] } },
    },
  },
}

test('a tool is called when the user names it, with strings of the prompt', () => {
  const made = answer(ask('Send email to <EMAIL_ADDRESS_1>, 3 copies, warm: "hello"', { tools: [EMAIL_TOOL] }))
  assert.deepEqual(made, {
    kind: 'tool-call',
    name: 'send_email',
    arguments: '{"email":"<EMAIL_ADDRESS_1>","urgent":true,"copies":1,"tone":"warm","tags":["hello"]}',
  })
})

test('a tool is called when it is chosen, and never when it is forbidden', () => {
  const tools = [EMAIL_TOOL, { name: 'other', parameters: {} }]
  const named = answer(ask('hi', { tools, toolChoice: { name: 'other' } }))
  assert.deepEqual(named, { kind: 'tool-call', name: 'other', arguments: '"hi"' })
  const required = answer(ask('hi', { tools, toolChoice: 'required' }))
  assert.equal(required.kind === 'tool-call' && required.name, 'send_email')
  assert.equal(answer(ask('send email', { tools, toolChoice: 'none' })).kind, 'text')
  assert.equal(answer(ask('hi', { tools })).kind, 'text')
})

test('a tool result is answered in words', () => {
  const turns = [
    { role: 'user', text: 'send email' },
    { role: 'assistant', text: '' },
    { role: 'tool', text: 'sent' },
  ] as const
  assert.equal(textOf(ask('', { turns, tools: [EMAIL_TOOL], toolChoice: 'required' })), 'The tool answered: sent')
})

test('a schema is met', () => {
  const schema = { type: 'object', properties: { name: { type: 'string' }, size: { type: 'number' } } }
  assert.equal(textOf(ask('<PERSON_7> is 1.5 m', { schema })), '{"name":"<PERSON_7>","size":7}')
})

test('pieces have at most six characters, cut placeholders, and join to the text', () => {
  for (const text of ['Write  to <EMAIL_ADDRESS_4821>,\n\nplease.', 'ÄÖÜß 😀😀😀😀😀😀😀 x', '', '   ']) {
    const pieces = piecesOf(text)
    assert.equal(pieces.join(''), text)
    for (const piece of pieces) assert.ok(Array.from(piece).length <= 6, JSON.stringify(piece))
  }
  assert.ok(piecesOf('<EMAIL_ADDRESS_4821>').length > 3)
})

test('limits cut the answer and say why', () => {
  const long = generate(ask('one two three four'), [], 2)
  assert.deepEqual([long.pieces.join(''), long.end], ['You said:', 'length'])
  const stopped = generate(ask('one two three four'), ['four', 'two'], undefined)
  assert.deepEqual(
    [stopped.pieces.join(''), stopped.end, stopped.stopSequence],
    ['You said: one ', 'stop-sequence', 'two'],
  )
  assert.equal(generate(ask('one'), [], undefined).end, 'stop')
})
