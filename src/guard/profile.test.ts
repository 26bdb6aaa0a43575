import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actionFor } from './profile.ts'

test('a type has its own action, else the default', () => {
  const profile = { actions: { SECRET: 'block', default: 'mask' } } as const
  assert.equal(actionFor(profile, 'SECRET'), 'block')
  assert.equal(actionFor(profile, 'PERSON'), 'mask')
  assert.equal(actionFor({ actions: {} }, 'PERSON'), 'redact')
})

test('links, dates, places and organisations are left alone unless the profile names them', () => {
  for (const type of ['URL', 'DATE_TIME', 'LOCATION', 'ORGANIZATION', 'UK_POSTCODE', 'DE_PLZ']) {
    assert.equal(actionFor({ actions: { default: 'redact' } }, type), 'allow')
    assert.equal(actionFor({ actions: { default: 'allow', [type]: 'redact' } }, type), 'redact')
  }
})

test('an action for phone numbers covers those of single countries, which may have their own', () => {
  assert.equal(actionFor({ actions: { PHONE_NUMBER: 'block' } }, 'PH_MOBILE_NUMBER'), 'block')
  assert.equal(actionFor({ actions: { PHONE_NUMBER: 'block', TR_PHONE_NUMBER: 'allow' } }, 'TR_PHONE_NUMBER'), 'allow')
})
