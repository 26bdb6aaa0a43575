import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBundle, encodeBundle } from './bundle.ts'
import { concatBytes, toUtf8 } from './bytes.ts'
import { checkProof } from './check-proof.ts'
import { signCheckpoint } from './checkpoint.ts'
import { cosign } from './cosignature.ts'
import { TlogError } from './error.ts'
import { COSIGNER_KEY, LOG_KEY, formatVkey } from './key.ts'
import { formatNote } from './note.ts'
import { checkPolicy, parsePolicy } from './policy.ts'
import { formatProofFile, parseProofFile } from './proof-file.ts'
import { createPrivateKey, openSigner } from './signer.ts'
import { leavesOf, sha256, treeOf } from './tree.suite.ts'
import { HASH_BYTES } from './hash.ts'
import { nodesOfTiles, tileLevels, tilePath, tilesOf } from './tile.ts'
import { inclusionProof, rootOf } from './tree.ts'
import { formatAddCheckpoint, parseAddCheckpoint } from './witness-request.ts'

test('tiles have the paths of the format', () => {
  assert.equal(tilePath(0, 0), 'tile/0/000')
  assert.equal(tilePath(0, 1_234_067), 'tile/0/x001/x234/067')
  assert.equal(tilePath(3, 999, 12), 'tile/3/999.p/12')
  assert.equal(tilePath('entries', 1000, 1), 'tile/entries/x001/000.p/1')
  assert.throws(() => tilePath(0, -1), TlogError)
  assert.throws(() => tilePath(0, 0, 0), TlogError)
  assert.deepEqual(tilesOf(70_000, 0), { full: 273, partial: 112 })
  assert.deepEqual(tilesOf(70_000, 1), { full: 1, partial: 17 })
  assert.deepEqual(tilesOf(70_000, 2), { full: 0, partial: 1 })
  assert.deepEqual([0, 1, 256, 65_535, 65_536].map(tileLevels), [0, 1, 2, 2, 3])
})

test('a tree read out of tiles has the roots of the tree itself', () => {
  const leaves = leavesOf(1100)
  const whole = treeOf(leaves)
  const tile = (level: number, number: number): Uint8Array => {
    const count = Math.min(256, tilesOf(1100, level).full * 256 + tilesOf(1100, level).partial - number * 256)
    return concatBytes(...Array.from({ length: count }, (_, at) => whole.node(level * 8, number * 256 + at)))
  }
  const tiled = { sha256, node: nodesOfTiles(sha256, tile) }
  for (const size of [1, 2, 255, 256, 257, 511, 512, 1023, 1024, 1100])
    assert.deepEqual(rootOf(tiled, size), rootOf(whole, size))
  assert.throws(() => rootOf({ sha256, node: nodesOfTiles(sha256, () => new Uint8Array(HASH_BYTES - 1)) }, 300), {
    message: 'tile tile/1/000 is shorter than the tree says',
  })
})

test('bundles give back what was put in, and garbage is refused', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (entries) => {
      const bundle = encodeBundle(entries)
      assert.deepEqual(decodeBundle(bundle), entries)
      if (bundle.length > 0) {
        const torn = bundle.subarray(0, -1)
        assert.throws(() => decodeBundle(torn), TlogError)
      }
    }),
  )
  assert.deepEqual(Array.from(encodeBundle([new Uint8Array(258)]).subarray(0, 2)), [1, 2])
  assert.throws(() => encodeBundle([new Uint8Array(65_536)]), TlogError)
  assert.throws(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array(1))), TlogError)
  assert.throws(() => decodeBundle(new Uint8Array(2 * 257)), { message: 'a bundle holds 256 entries at most' })
})

const origin = 'log.example/one'
const log = await openSigner(origin, LOG_KEY, await createPrivateKey())
const witnesses = await Promise.all(
  ['a', 'b', 'c', 'd'].map(async (name) =>
    openSigner(`witness.example/${name}`, COSIGNER_KEY, await createPrivateKey()),
  ),
)
const vkeys = witnesses.map(({ key }) => formatVkey(key))
const leaves = leavesOf(9)
const tree = treeOf(leaves)

/** A checkpoint of nine entries with cosignatures of the witnesses at these places. */
async function cosigned(...by: readonly number[]): Promise<string> {
  const note = await signCheckpoint({ origin, size: 9, root: rootOf(tree, 9) }, log)
  const lines = await Promise.all(
    witnesses.filter((_, at) => by.includes(at)).map((signer) => cosign(note.text, 1_790_000_000, signer)),
  )
  return formatNote({ ...note, signatures: [...note.signatures, ...lines] })
}

const POLICY = [
  '# two clouds, and one of ours',
  `log ${formatVkey(log.key)} https://log.example/`,
  '',
  ...vkeys.map((vkey, at) => `witness W${at}\t${vkey}`),
  'group clouds 2 W0 W1 W2',
  '  group both all clouds W3',
  'quorum both',
].join('\n')

test('a policy wants its quorum, through groups of groups', async () => {
  const policy = await parsePolicy(POLICY)
  const { checkpoint, cosigned: by } = await checkPolicy(policy, await cosigned(0, 2, 3))
  assert.equal(checkpoint.size, 9)
  assert.deepEqual(
    [...by],
    [
      ['W0', 1_790_000_000],
      ['W2', 1_790_000_000],
      ['W3', 1_790_000_000],
    ],
  )
  await assert.rejects(checkPolicy(policy, await cosigned(0, 1, 2)), {
    message: 'the quorum `both` is not reached: cosigned by W0, W1, W2',
  })
  await assert.rejects(checkPolicy(policy, await cosigned(1, 3)), TlogError)
  await checkPolicy(await parsePolicy(POLICY.replace('quorum both', 'quorum none')), await cosigned())
  const other = await openSigner(origin, LOG_KEY, await createPrivateKey())
  const foreign = await parsePolicy(`log ${formatVkey(other.key)}\nquorum none`)
  await assert.rejects(checkPolicy(foreign, await cosigned(0)), { message: `no signature is from ${origin}` })
})

const badPolicies: readonly (readonly [text: string, message: string])[] = [
  ['', 'the policy has no quorum line'],
  ['quorum a', 'line 1: the quorum `a` is not defined above'],
  ['quorum none\nquorum none', 'line 2: there is a second quorum line'],
  [`witness none ${vkeys[0]}\nquorum none`, 'line 1: the name `none` can not be used'],
  [`log ${vkeys[0]}\nquorum none`, 'line 1: the key is of the wrong type for this line'],
  [`witness a ${vkeys[0]}\nwitness b ${vkeys[0]}\nquorum a`, 'line 2: this public key stands there twice'],
  [`witness a ${vkeys[0]}\ngroup g 2 a\nquorum g`, 'line 2: the threshold is out of range'],
  [`witness a ${vkeys[0]}\ngroup g any a a\nquorum g`, 'line 2: `a` is a member twice'],
  [`group g any a\nwitness a ${vkeys[0]}\nquorum g`, 'line 1: `a` is not defined above'],
  ['hello\nquorum none', 'line 1: a line begins with `log`, `witness`, `group` or `quorum`'],
]

for (const [text, message] of badPolicies) {
  test(`a policy is refused: ${message}`, async () => {
    await assert.rejects(parsePolicy(text), { name: 'TlogError', message })
  })
}

test('a proof file proves its entry, in both forms, and no other entry', async () => {
  const policy = await parsePolicy(POLICY)
  const checkpoint = await cosigned(0, 1, 3)
  const entry = toUtf8('entry 4')
  for (const form of ['v1', 'spicy'] as const) {
    const text = formatProofFile({ index: 4, proof: inclusionProof(tree, 4, 9), checkpoint }, form)
    assert.equal(text.startsWith(form === 'v1' ? 'c2sp.org/tlog-proof@v1\nindex 4\n' : 'index 4\n'), true)
    assert.equal(text.endsWith(`\n\n${checkpoint}`), true)
    assert.equal((await checkProof(text, entry, policy)).index, 4)
    await assert.rejects(checkProof(text, toUtf8('entry 5'), policy), {
      message: 'the proof does not lead to the root',
    })
    await assert.rejects(checkProof(text.replace('index 4', 'index 5'), entry, policy), TlogError)
  }
  const extra = parseProofFile(formatProofFile({ index: 0, proof: [], checkpoint, extra: Uint8Array.of(1) }))
  assert.deepEqual(extra, { index: 0, proof: [], checkpoint, extra: Uint8Array.of(1) })
})

test('a request to a witness is read back as it was written', async () => {
  const request = { oldSize: 3, proof: leaves.slice(0, 2), checkpoint: await cosigned() }
  assert.deepEqual(parseAddCheckpoint(formatAddCheckpoint(request)), request)
})

test('readers of files throw their own error for garbage and nothing else', async () => {
  const proof = formatProofFile({ index: 4, proof: inclusionProof(tree, 4, 9), checkpoint: await cosigned(0) })
  const pieces = fc.constantFrom(
    ...`${proof}${POLICY}`.split(/(?<=[\n ])/),
    'old 03\n',
    'index -1\n',
    'extra ==\n',
    '\n\n',
  )
  const garbage = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces).map((all) => all.join('')),
  )
  const readers: readonly ((text: string) => unknown)[] = [
    parseProofFile,
    parseAddCheckpoint,
    parsePolicy,
    (text) => decodeBundle(toUtf8(text)),
  ]
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
