import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromBase64, toBase64, toUtf8 } from './bytes.ts'
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts'
import { cosign, cosignatureBy } from './cosignature.ts'
import { TlogError } from './error.ts'
import { COSIGNER_KEY, LOG_KEY, formatVkey, parseVkey, verifierKey } from './key.ts'
import { formatNote, parseNote, verifyNote } from './note.ts'
import { createPrivateKey, openSigner } from './signer.ts'

/** The example of Go's note package, signed by a key that nobody here has. */
const VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const NOTE =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n\n" +
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'

test('a note that another implementation signed verifies, and not when it says something else', async () => {
  const key = await parseVkey(VKEY)
  assert.equal(formatVkey(key), VKEY)
  const note = parseNote(NOTE)
  await verifyNote(note, key)
  assert.equal(formatNote(note), NOTE)
  await assert.rejects(verifyNote(parseNote(NOTE.replace('answer', 'Answer')), key), {
    message: 'a signature of PeterNeumann is not good',
  })
  const other = await openSigner('PeterNeumann', LOG_KEY, await createPrivateKey())
  await assert.rejects(verifyNote(note, other.key), { message: 'no signature is from PeterNeumann' })
})

test('a key of a public log is read', async () => {
  const vkey = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'
  assert.equal(formatVkey(await parseVkey(vkey)), vkey)
  await assert.rejects(parseVkey(vkey.replace('033de0ae', '033de0af')), {
    message: 'the verifier key does not match its own id',
  })
})

const checkpoint = { origin: 'log.example/one', size: 7, root: new Uint8Array(32).fill(9) }
const [logKey, witnessKey] = await Promise.all([createPrivateKey(), createPrivateKey()])
const log = await openSigner(checkpoint.origin, LOG_KEY, logKey)
const witness = await openSigner('witness.example/w', COSIGNER_KEY, witnessKey)
const signed = await signCheckpoint(checkpoint, log)

test('a signed checkpoint opens with its key, and with no other origin or key', async () => {
  const text = formatNote(signed)
  const opened = await openCheckpoint(text, log.key)
  assert.deepEqual({ origin: opened.origin, size: opened.size, root: opened.root }, checkpoint)
  await assert.rejects(openCheckpoint(text.replace('\n7\n', '\n8\n'), log.key), TlogError)
  const renamed = await openSigner('log.example/two', LOG_KEY, logKey)
  await assert.rejects(openCheckpoint(text, renamed.key), {
    message: 'the checkpoint is of log.example/one, the key of log.example/two',
  })
  const empty = formatNote(await signCheckpoint({ ...checkpoint, size: 0 }, log))
  await assert.rejects(openCheckpoint(empty, log.key), {
    message: 'the root of an empty tree is not that of nothing',
  })
})

test('the signature is over the text as it stands: node:crypto agrees', () => {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: logKey.x }, format: 'jwk' })
  const [line] = signed.signatures
  assert.ok(verify(null, toUtf8(formatCheckpoint(checkpoint)), publicKey, line?.signature ?? new Uint8Array(0)))
})

test('a cosignature carries its time, is over it, and is found among other lines', async () => {
  const line = await cosign(signed.text, 1_790_000_000, witness)
  const note = { text: signed.text, signatures: [...signed.signatures, line] }
  assert.equal((await cosignatureBy(note, witness.key))?.timeS, 1_790_000_000)
  assert.equal(await cosignatureBy(signed, witness.key), undefined)
  const later = Uint8Array.from(line.signature)
  later[7] = (later[7] ?? 0) ^ 1
  await assert.rejects(cosignatureBy({ text: signed.text, signatures: [{ ...line, signature: later }] }, witness.key), {
    message: 'a cosignature of witness.example/w is not good',
  })
  const cut = { ...line, signature: line.signature.slice(1) }
  await assert.rejects(cosignatureBy({ text: signed.text, signatures: [cut] }, witness.key), TlogError)
  await assert.rejects(cosignatureBy(note, log.key), { message: 'this is the key of a log, not of a witness' })
  await assert.rejects(verifyNote(note, witness.key), { message: 'this is the key of a witness, not of a log' })
  const message = toUtf8(`cosignature/v1\ntime 1790000000\n${signed.text}`)
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: witnessKey.x }, format: 'jwk' })
  assert.ok(verify(null, message, publicKey, line.signature.slice(8)))
})

test('readers of garbage throw their own error and nothing else', async () => {
  const pieces = fc.constantFrom(...NOTE.split(/(?<=[\n ])/), 'old 3\n', '+', '=', '\n\n', '— ', '\u0000', '\ud800')
  const garbage = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces).map((all) => all.join('')),
  )
  const readers: readonly ((text: string) => unknown)[] = [parseNote, parseCheckpoint, parseVkey, fromBase64]
  await fc.assert(
    fc.asyncProperty(garbage, async (text) => {
      for (const read of readers) {
        try {
          await read(text)
        } catch (error) {
          assert.ok(error instanceof TlogError, String(error))
        }
      }
    }),
    { numRuns: 400 },
  )
})

test('names that a note can not carry, and other forms of Base64, are refused', async () => {
  for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\nb'])
    await assert.rejects(verifierKey(name, LOG_KEY, new Uint8Array(32)), TlogError)
  for (const text of ['QQ', 'QR==', 'Q===', 'QQ==\n', 'Q-==', '=']) assert.throws(() => fromBase64(text), TlogError)
  assert.equal(toBase64(fromBase64('QQ==')), 'QQ==')
})
