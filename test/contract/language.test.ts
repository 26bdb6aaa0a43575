import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { language } from '#guard/managed/language.ts'
import { asRecord, parseJson } from '#kit/json.ts'
import { at, sendJson, withClouds } from '#simclouds/client.suite.ts'
import { contract } from './contracts.ts'

const GA_2024 = 'azure/language/analyzetext-2024-11-01.json'
const DELTA_2026 = 'azure/language/analyzetext-2026-05-01.pii-delta.json'

test('Language: what we send and what the stand-in answers is as the published schemas say', async (context) => {
  const swagger = contract(context, GA_2024)
  const delta = contract(context, DELTA_2026)
  if (swagger === undefined || delta === undefined) return
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    formats: { int32: true, double: true, float: true, date: true },
  })
  ajv.addSchema({
    $id: 'language',
    definitions: { ...asRecord(at(swagger, 'definitions')), ...asRecord(at(delta, 'definitions')) },
  })
  const valid = (definition: string, value: unknown): void => {
    const validate = ajv.compile({ $ref: `language#/definitions/${definition}` })
    assert.ok(validate(value), `${definition}: ${JSON.stringify(validate.errors)}`)
  }
  let sent: unknown
  const service = language(
    {
      endpoint: 'http://language.test',
      place: { cloud: 'azure', region: 'eastus' },
      credential: { kind: 'none' },
      timeoutMs: 100,
      usdPerThousandRecords: 1,
      language: 'en',
      minScore: 0.5,
    },
    (_trip, request) => {
      sent = parseJson(request.body ?? '')
      return Promise.reject(new Error('enough'))
    },
  )
  await assert.rejects(service.judge([{ text: 'Maria Lindqvist', kind: 'prompt' }], {} as never))
  valid('AnalyzeTextPiiEntitiesRecognitionInput', sent)
  valid('PiiTaskParameters', at(sent, 'parameters'))
  await withClouds({}, async (clouds) => {
    const url = `${clouds.urls.language}/language/:analyze-text?api-version=2026-05-01`
    const key = { 'ocp-apim-subscription-key': clouds.settings.language.key }
    const answered = await sendJson(url, sent, key)
    assert.equal(answered.status, 200)
    valid('PiiTaskResult', at(answered.text))
    const long = { ...asRecord(sent), analysisInput: { documents: [{ id: '1', text: 'a'.repeat(5121) }] } }
    const cut = await sendJson(url, long, key)
    assert.equal(cut.status, 200)
    valid('PiiTaskResult', at(cut.text))
    assert.equal(at(cut.text, 'results', 'errors', 0, 'id'), '1')
  })
})
