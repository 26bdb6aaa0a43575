import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '#kit/durable-file.ts'
import { Lru } from '#kit/lru.ts'
import { TlogError } from '#tlog/error.ts'
import { HASH_BYTES } from '#tlog/hash.ts'
import { TILE_BYTES, TILE_WIDTH, nodesOfTiles, subtreeHash, tilePath } from '#tlog/tile.ts'
import { type TreeReader, rootOf } from '#tlog/tree.ts'
import { sha256 } from './segment.ts'

/** Tiles kept in memory: proofs near the end of the log touch the same few. */
const CACHED_TILES = 64
/** Tiles of leaves that half a minute can make: systems write out what is older. */
const UNSURE_TILES = 4096
/** Tiles that are written at once. */
const WRITES_AT_ONCE = 8

interface Level {
  /** Full tiles so far. */
  full: number
  /** The tile that is not full yet. */
  readonly partial: Buffer
  /** Hashes in it. */
  count: number
}

/**
 * The Merkle tree over the log as tiles: full ones are files, the last one of each level is in memory.
 * A projection of the segments: it can be made again from them at any time.
 */
export class TileTree {
  readonly #folder: string
  readonly #levels: Level[] = []
  /** Full tiles that are not files yet. */
  readonly #unwritten = new Map<string, Buffer>()
  readonly #cache = new Lru<string, Buffer>(CACHED_TILES)
  readonly reader: TreeReader

  /** `folder` is the one that `tile/` is in. */
  constructor(folder: string) {
    this.#folder = folder
    this.reader = { sha256, node: nodesOfTiles(sha256, (level, number) => this.#tile(level, number)) }
  }

  get size(): number {
    const leaves = this.#levels[0]
    return leaves === undefined ? 0 : leaves.full * TILE_WIDTH + leaves.count
  }

  /** Adds leaf hashes, one after the other in `leaves`. Nothing is written before `flush`. */
  append(leaves: Uint8Array): void {
    for (let at = 0; at < leaves.length; at += HASH_BYTES) this.#push(0, leaves.subarray(at, at + HASH_BYTES))
  }

  root(size = this.size): Uint8Array {
    return rootOf(this.reader, size)
  }

  /** Writes full tiles that are not files yet. When it fails, the next call tries again. */
  async flush(): Promise<void> {
    const paths = [...this.#unwritten.keys()]
    for (let at = 0; at < paths.length; at += WRITES_AT_ONCE) {
      await Promise.all(paths.slice(at, at + WRITES_AT_ONCE).map((path) => this.#write(path)))
    }
  }

  /**
   * Takes up what is on disk already: as many full tiles of leaves as a log of `size` entries has and the folder holds.
   * @throws {TlogError} when a tile that has to be there is missing or short.
   */
  load(size: number): void {
    let full = Math.floor(size / TILE_WIDTH)
    // Those that the system may not have written out before a loss of power; older ones are on the disk.
    for (let number = Math.max(0, full - UNSURE_TILES); number < full; number += 1)
      if (!this.#isWhole(number)) full = number
    for (let level = 0; full > 0; level += 1) {
      const above = Math.floor(full / TILE_WIDTH)
      this.#level(level).full = full
      for (let number = above * TILE_WIDTH; number < full; number += 1) {
        const hash = subtreeHash(sha256, this.#tile(level, number))
        const next = this.#level(level + 1)
        next.partial.set(hash, next.count * HASH_BYTES)
        next.count += 1
      }
      full = above
    }
  }

  #push(level: number, hash: Uint8Array): void {
    const own = this.#level(level)
    own.partial.set(hash, own.count * HASH_BYTES)
    own.count += 1
    if (own.count < TILE_WIDTH) return
    const tile = Buffer.from(own.partial)
    this.#unwritten.set(tilePath(level, own.full), tile)
    own.full += 1
    own.count = 0
    this.#push(level + 1, subtreeHash(sha256, tile))
  }

  #level(level: number): Level {
    return (this.#levels[level] ??= { full: 0, partial: Buffer.alloc(TILE_BYTES), count: 0 })
  }

  #tile(level: number, number: number): Buffer {
    const own = this.#level(level)
    if (number === own.full) return own.partial.subarray(0, own.count * HASH_BYTES)
    const path = tilePath(level, number)
    const held = this.#unwritten.get(path) ?? this.#cache.get(path)
    if (held !== undefined) return held
    const read = readTileFile(this.#folder, path)
    this.#cache.set(path, read)
    return read
  }

  #isWhole(number: number): boolean {
    return statSync(join(this.#folder, tilePath(0, number)), { throwIfNoEntry: false })?.size === TILE_BYTES
  }

  async #write(path: string): Promise<void> {
    const tile = this.#unwritten.get(path)
    if (tile === undefined) return
    // Not synced: it would make the entries wait, and a tile that a loss of power takes is made again at the start.
    await replaceFile(join(this.#folder, path), tile, { sync: false })
    this.#unwritten.delete(path)
  }
}

function readTileFile(folder: string, path: string): Buffer {
  let bytes: Buffer
  try {
    bytes = readFileSync(join(folder, path))
  } catch {
    throw new TlogError(`${path} can not be read`)
  }
  if (bytes.length !== TILE_BYTES) throw new TlogError(`${path} is not whole`)
  return bytes
}
