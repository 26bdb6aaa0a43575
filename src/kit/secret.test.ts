import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format, inspect } from 'node:util'
import { Secret } from './secret.ts'

test('a secret shows in no way of printing', () => {
  const secret = new Secret('hunter2')
  const shown = [
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: { secret } }, { depth: 5, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
    Object.keys(secret).join(),
    JSON.stringify(Object.entries(secret)),
    inspect(structuredClone(secret)),
    new Error('failed with ' + String(secret)).message,
  ]
  for (const text of shown) assert.doesNotMatch(text, /hunter2/)
  assert.equal(String(secret), '[secret]')
  assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}')
  assert.equal(inspect({ secret }), '{ secret: [secret] }')
})

test('its value comes out when asked for by name', () => {
  assert.equal(new Secret('hunter2').reveal(), 'hunter2')
})
