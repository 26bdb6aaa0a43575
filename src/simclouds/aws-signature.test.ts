import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signV4 } from '#kit/sigv4.ts'
import { checkSignature, type Scope, type SignedRequest } from './aws-signature.ts'

const SUITE_SCOPE: Scope = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 'service',
}
const SUITE_TIME = Date.UTC(2015, 7, 30, 12, 36, 0)

/** Published by AWS as the Signature Version 4 test suite: name, method, query, signature. */
const SUITE = [
  ['get-vanilla', 'GET', '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    'Param2=value2&Param1=value1',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  ['post-vanilla', 'POST', '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
] as const

function suiteRequest(method: string, rawQuery: string, signature: string): SignedRequest {
  return {
    method,
    path: '/',
    rawQuery,
    headers: {
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    },
    body: Buffer.from(''),
  }
}

for (const [name, method, query, signature] of SUITE) {
  test(`the check agrees with AWS's own vector ${name}`, () => {
    assert.equal(checkSignature(suiteRequest(method, query, signature), SUITE_SCOPE, SUITE_TIME), undefined)
  })
}

/** Published in the documentation of S3, whose requests sign the digest of their body as ours do. */
const S3_EXAMPLES = [
  ['/test.txt', { range: 'bytes=0-9' }, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
  ['/?lifecycle', {}, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  ['/?max-keys=2&prefix=J', {}, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
] as const

for (const [target, headers, signature] of S3_EXAMPLES) {
  test(`signV4 agrees with AWS's own example GET ${target}`, () => {
    const signed = signV4(
      { method: 'GET', url: new URL(`https://examplebucket.s3.amazonaws.com${target}`), headers, body: '' },
      {
        service: 's3',
        region: 'us-east-1',
        accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
        secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
        amzDate: '20130524T000000Z',
      },
    )
    assert.match(signed['authorization'] ?? '', new RegExp(`Signature=${signature}$`))
  })
}

const SCOPE: Scope = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret', region: 'eu-west-1', service: 'bedrock' }
const TIME = Date.UTC(2026, 10, 24, 23, 33, 0)

function signedRequest(path: string, body: string): SignedRequest {
  const url = new URL(`https://bedrock-runtime.eu-west-1.amazonaws.com${path}`)
  const headers = { 'content-type': 'application/json', 'x-amz-extra': ' a   b ' }
  const signed = signV4({ method: 'POST', url, headers, body }, { ...SCOPE, amzDate: '20261124T233300Z' })
  return {
    method: 'POST',
    path: url.pathname,
    rawQuery: url.search.slice(1),
    headers: { ...headers, host: url.host, ...signed },
    body: Buffer.from(body),
  }
}

test('the check agrees with signV4 on encoded paths, queries and bodies', () => {
  for (const path of [
    '/model/eu.anthropic.claude-3%3A0/converse',
    '/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aprofile%2Fx/converse-stream?b=2&a=%20%2B1',
    '/model/plain/converse',
  ]) {
    assert.equal(checkSignature(signedRequest(path, '{"text":"é😀"}'), SCOPE, TIME), undefined, path)
  }
})

const good = signedRequest('/model/a/converse', '{}')
const authorization = good.headers['authorization'] ?? ''
const without = (name: string) => Object.fromEntries(Object.entries(good.headers).filter(([each]) => each !== name))

const bad: readonly (readonly [why: string, request: SignedRequest, type: string, message: RegExp])[] = [
  [
    'no authorization',
    { ...good, headers: without('authorization') },
    'MissingAuthenticationTokenException',
    /no auth/,
  ],
  [
    'a bearer',
    { ...good, headers: { ...good.headers, authorization: 'Bearer x' } },
    'IncompleteSignatureException',
    /SigV4/,
  ],
  ['another key', change('AKIDTEST', 'AKIDOTHER'), 'UnrecognizedClientException', /AKIDOTHER/],
  ['another region', change('eu-west-1', 'us-east-1'), 'InvalidSignatureException', /region us-east-1/],
  ['another service', change('/bedrock/', '/s3/'), 'InvalidSignatureException', /service s3/],
  ['another day', change('20261124', '20261123'), 'InvalidSignatureException', /another day/],
  ['host not signed', change('host;', ''), 'InvalidSignatureException', /host is not signed/],
  ['a header lost', { ...good, headers: without('x-amz-extra') }, 'InvalidSignatureException', /x-amz-extra is not in/],
  [
    'a header too many',
    { ...good, headers: { ...good.headers, 'x-amz-more': '1' } },
    'InvalidSignatureException',
    /x-amz-more/,
  ],
  ['another body', { ...good, body: Buffer.from('{ }') }, 'InvalidSignatureException', /digest/],
  ['another path', { ...good, path: '/model/b/converse' }, 'InvalidSignatureException', /does not match/],
  ['another method', { ...good, method: 'PUT' }, 'InvalidSignatureException', /does not match/],
]

function change(from: string, to: string): SignedRequest {
  return { ...good, headers: { ...good.headers, authorization: authorization.replace(from, to) } }
}

for (const [why, request, type, message] of bad) {
  test(`a wrong signature is refused: ${why}`, () => {
    const problem = checkSignature(request, SCOPE, TIME)
    assert.equal(problem?.type, type)
    assert.match(problem?.message ?? '', message)
  })
}

test('a request that is more than five minutes old is refused', () => {
  assert.equal(checkSignature(good, SCOPE, TIME + 299_000), undefined)
  assert.match(checkSignature(good, SCOPE, TIME + 301_000)?.message ?? '', /off by 301 s/)
  assert.match(checkSignature(good, SCOPE, TIME - 301_000)?.message ?? '', /off by 301 s/)
})
