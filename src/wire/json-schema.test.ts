import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '#contract/refusal.ts'
import { jsonSchema } from './json-schema.ts'

const broken: readonly (readonly [schema: unknown, param: string])[] = [
  [7, 'p'],
  [{ type: 'objekt' }, 'p.type'],
  [{ type: ['string', 7] }, 'p.type'],
  [{ type: [] }, 'p.type'],
  [{ required: 'a' }, 'p.required'],
  [{ required: [1] }, 'p.required[0]'],
  [{ properties: [] }, 'p.properties'],
  [{ properties: { a: 7 } }, 'p.properties.a'],
  [{ properties: { a: { items: { enum: 'x' } } } }, 'p.properties.a.items.enum'],
  [{ anyOf: {} }, 'p.anyOf'],
  [{ anyOf: [{}, { type: 'x' }] }, 'p.anyOf[1].type'],
  [{ $defs: { a: { type: 1 } } }, 'p.$defs.a.type'],
]

for (const [schema, param] of broken) {
  test(`${JSON.stringify(schema)} is refused at ${param}`, () => {
    assert.throws(() => jsonSchema(schema, 'p'), { name: 'Refusal', code: 'WIRE_MALFORMED', param })
  })
}

test('what a schema may be is taken as it is', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: ['object', 'null'],
    properties: { a: true, b: { type: 'array', items: false }, c: { $ref: '#/$defs/d' } },
    required: ['a'],
    additionalProperties: false,
    $defs: { d: { enum: [1, null] } },
  }
  assert.equal(jsonSchema(schema, 'p'), schema)
})

test('arbitrary JSON throws nothing but refusals', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        jsonSchema(value, 'p')
      } catch (error) {
        assert.ok(error instanceof Refusal)
      }
    }),
  )
})
