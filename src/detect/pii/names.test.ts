import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GIVEN, PLACE, SURNAME, WORD, endsLikeSurname, fold, knownAs } from './names.ts'
import { isPlace } from './places.ts'

test('the table is decoded to its first and its last entry', () => {
  for (const [name, bits] of [
    ['anna', GIVEN],
    ['schmidt', SURNAME],
    ['mark', GIVEN | WORD],
    ['berlin', PLACE],
    ['zuzana', GIVEN],
  ] as const)
    assert.equal(knownAs(name) & bits, bits, name)
  for (const word of ['', 'qzx', 'monday', 'python', 'Anna', '0', '\u00e9']) assert.equal(knownAs(word), 0, word)
})

test('accents and letters of their own are folded', () => {
  assert.equal(fold('šárka'), 'sarka')
  assert.equal(fold('bjørn'), 'bjorn')
  assert.equal(fold('þórdís'), 'thordis')
  assert.equal(fold('łukasz'), 'lukasz')
})

test('endings make an unknown word look like a surname, or not', () => {
  for (const name of ['petrova', 'kowalczyk', 'sigurdsson', 'yefremov', 'velasquez'])
    assert.ok(endsLikeSurname(name), name)
  for (const word of ['risky', 'music', 'version', 'chosen', 'ski']) assert.ok(!endsLikeSurname(word), word)
})

test('countries, states and large cities are places', () => {
  for (const name of ['germany', 'new zealand', 'new york', 'london', 'bosnia and herzegovina'])
    assert.ok(isPlace(name), name)
  for (const name of ['', 'germany|ghana', 'springfield elementary']) assert.ok(!isPlace(name), name)
})
