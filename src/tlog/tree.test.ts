import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex } from './bytes.ts'
import { TlogError } from './error.ts'
import { Frontier } from './frontier.ts'
import { emptyRoot, leafData } from './hash.ts'
import { leavesOf, sha256, treeOf } from './tree.suite.ts'
import { consistencyProof, inclusionProof, log2Floor, rootOf, splitOf } from './tree.ts'
import { verifyConsistency, verifyInclusion } from './verify-proof.ts'

/** The entries and roots that implementations of RFC 6962 have compared themselves with since the first of them. */
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

test('roots of the trees that everybody tests with', () => {
  const tree = treeOf(ENTRIES.map((entry) => sha256(leafData(fromHex(entry)))))
  assert.deepEqual(
    ROOTS.map((_, size) => toHex(rootOf(tree, size))),
    ROOTS,
  )
  assert.deepEqual(inclusionProof(tree, 5, 8).map(toHex), [
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ])
  assert.deepEqual(consistencyProof(tree, 2, 5).map(toHex), [
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  ])
})

const SIZE = 200
const tree = treeOf(leavesOf(SIZE))
const leaves = leavesOf(SIZE)

test('every inclusion proof of every tree up to two hundred entries verifies, and for no other place', async () => {
  for (let size = 1; size <= SIZE; size += size < 70 ? 1 : 13) {
    const root = rootOf(tree, size)
    for (let index = 0; index < size; index += 1) {
      const claim = {
        index,
        size,
        root,
        leafHash: leaves[index] ?? new Uint8Array(0),
        proof: inclusionProof(tree, index, size),
      }
      await verifyInclusion(sha256, claim)
      await assert.rejects(verifyInclusion(sha256, { ...claim, index: (index + 1) % (size + 1) }), TlogError)
    }
  }
})

test('every consistency proof between trees up to two hundred entries verifies', async () => {
  for (let size = 0; size <= SIZE; size += size < 70 ? 1 : 13) {
    for (let oldSize = 0; oldSize <= size; oldSize += 1) {
      await verifyConsistency(sha256, {
        oldSize,
        size,
        oldRoot: rootOf(tree, oldSize),
        root: rootOf(tree, size),
        proof: consistencyProof(tree, oldSize, size),
      })
    }
  }
})

test('a flipped bit anywhere in an inclusion claim is found', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: SIZE }), fc.nat(), fc.nat(), fc.nat(7), async (size, at, byte, bit) => {
      const index = at % size
      const parts = [leaves[index], rootOf(tree, size), ...inclusionProof(tree, index, size)].map((part) =>
        Uint8Array.from(part ?? []),
      )
      flip(parts, byte, bit)
      const [leafHash = new Uint8Array(0), root = new Uint8Array(0), ...proof] = parts
      await assert.rejects(verifyInclusion(sha256, { index, size, leafHash, root, proof }), TlogError)
    }),
    { numRuns: 300 },
  )
})

test('a flipped bit anywhere in a consistency claim is found, and so is a proof too long or too short', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: SIZE }), fc.nat(), fc.nat(), fc.nat(7), async (size, at, byte, bit) => {
      const oldSize = 1 + (at % (size - 1))
      const whole = [rootOf(tree, oldSize), rootOf(tree, size), ...consistencyProof(tree, oldSize, size)]
      const parts = whole.map((part) => Uint8Array.from(part))
      flip(parts, byte, bit)
      const claim = (all: readonly Uint8Array[]) => {
        const [oldRoot = new Uint8Array(0), root = new Uint8Array(0), ...proof] = all
        return verifyConsistency(sha256, { oldSize, size, oldRoot, root, proof })
      }
      await claim(whole)
      await assert.rejects(claim(parts), TlogError)
      await assert.rejects(claim(whole.slice(0, -1)), TlogError)
      await assert.rejects(claim([...whole, new Uint8Array(32)]), TlogError)
    }),
    { numRuns: 200 },
  )
})

function flip(parts: readonly Uint8Array[], byte: number, bit: number): void {
  const part = parts[Math.floor(byte / 32) % parts.length]
  if (part !== undefined) part[byte % 32] = (part[byte % 32] ?? 0) ^ (1 << bit)
}

test('claims that can not be are refused before any hash is made', async () => {
  const [hash = new Uint8Array(0)] = leaves
  const cases = [
    () => verifyInclusion(sha256, { index: 1, size: 1, leafHash: hash, proof: [], root: hash }),
    () => verifyInclusion(sha256, { index: -1, size: 1, leafHash: hash, proof: [], root: hash }),
    () => verifyInclusion(sha256, { index: 0.5, size: 1, leafHash: hash, proof: [], root: hash }),
    () => verifyInclusion(sha256, { index: 0, size: 2, leafHash: hash, proof: [hash.slice(1)], root: hash }),
    () => verifyConsistency(sha256, { oldSize: 2, size: 1, oldRoot: hash, proof: [], root: hash }),
    () => verifyConsistency(sha256, { oldSize: 0, size: 1, oldRoot: hash, proof: [], root: hash }),
    () => verifyConsistency(sha256, { oldSize: 0, size: 0, oldRoot: emptyRoot(sha256), proof: [], root: hash }),
    () => verifyConsistency(sha256, { oldSize: 1, size: 1, oldRoot: hash, proof: [hash], root: hash }),
  ]
  for (const run of cases) await assert.rejects(run(), TlogError)
  assert.throws(() => inclusionProof(tree, 3, 3), TlogError)
  assert.throws(() => consistencyProof(tree, 4, 3), TlogError)
  assert.throws(() => rootOf(tree, -1), TlogError)
})

test('powers of two are found beyond 32 bits', () => {
  for (const exponent of [0, 1, 30, 31, 32, 40, 52]) {
    assert.equal(log2Floor(2 ** exponent), exponent)
    assert.equal(splitOf(2 ** exponent + 1), 2 ** exponent)
  }
})

test('the frontier has the root of the whole tree after every leaf', () => {
  const frontier = new Frontier(sha256)
  assert.equal(toHex(frontier.root()), ROOTS[0])
  for (const [at, leaf] of leaves.entries()) {
    frontier.push(leaf)
    assert.equal(frontier.size, at + 1)
    assert.deepEqual(frontier.root(), rootOf(tree, at + 1))
  }
})
