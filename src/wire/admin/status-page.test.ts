import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Script } from 'node:vm'
import { statusPage } from './status-page.ts'

const page = statusPage()
const script = /<script>([\s\S]*)<\/script>/.exec(page)?.[1] ?? ''

test('the page asks nothing of another host', () => {
  assert.doesNotMatch(page, /\bhttps?:|[("'=]\/\/|\burl\(|@import|<iframe|<object|<img|\bsrc=/)
  assert.deepEqual(
    [...page.matchAll(/\bhref="([^"]*)"/g)].map(([, address]) => address),
    ['data:,', '/auth/login'],
  )
  assert.deepEqual(
    [...script.matchAll(/'(\/[^' ]+)/g)].map(([, path]) => path),
    ['/admin/v1/status', '/admin/v1/requests?limit=50', '/auth/me', '/auth/logout', '/v1/chat/completions'],
  )
})

test('what the server says can not become markup or code', () => {
  assert.doesNotMatch(
    page,
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|srcdoc|\beval\b|new Function|javascript:|\son[a-z]+=/i,
  )
})

test('the script compiles, and does not end the element that it stands in', () => {
  assert.ok(script.length > 1000)
  assert.doesNotThrow(() => new Script(script))
  assert.doesNotMatch(script, /<\/script|<!--/i)
})

test('every element that the script looks up is in the page', () => {
  const wanted = new Set([...script.matchAll(/\b(?:byId|replace)\('([^']+)'/g)].map(([, id]) => id ?? ''))
  assert.ok(wanted.size > 8)
  for (const id of wanted) assert.ok(page.includes(` id="${id}"`), id)
})
