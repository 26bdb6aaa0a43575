import { randomBytes } from 'node:crypto'
import type { Checksum } from './checksums.ts'
import type { Content } from './content.ts'
import { S3Problem } from './problem.ts'

/** Id of a version that was written while versioning was off. */
export const NULL_VERSION = 'null'

/** What a bucket is. */
export interface BucketOptions {
  /** Whether versions are kept. Default: only with Object Lock. */
  readonly versioning?: boolean
  /** Whether versions can be locked. Default false. */
  readonly objectLock?: boolean
}

/** Until when nobody deletes a version. */
export interface Lock {
  readonly mode: 'COMPLIANCE' | 'GOVERNANCE'
  readonly untilEpochMs: number
}

/** What somebody wants to put under a key. */
export interface NewObject {
  readonly content: Content
  /** With its quotes. */
  readonly etag: string
  /** Headers that are kept with the object and returned with it. */
  readonly headers: Readonly<Record<string, string>>
  readonly checksum: Checksum | undefined
  readonly lock: Lock | undefined
}

/** One version of an object; `content` undefined for a delete marker. */
export interface Version extends Omit<NewObject, 'content'> {
  readonly key: string
  readonly versionId: string
  readonly content: Content | undefined
  readonly lastModifiedEpochMs: number
}

/** A version that is no delete marker. */
export interface StoredObject extends Version {
  readonly content: Content
}

/** Something that happened to an object. */
export interface BucketEvent {
  /** As in the records of S3, without `s3:`. */
  readonly name:
    | 'ObjectCreated:Put'
    | 'ObjectCreated:Copy'
    | 'ObjectCreated:CompleteMultipartUpload'
    | 'ObjectRemoved:Delete'
    | 'ObjectRemoved:DeleteMarkerCreated'
  readonly bucket: string
  readonly key: string
  readonly size: number | undefined
  /** Without quotes. */
  readonly etag: string | undefined
  /** Undefined while versioning is off. */
  readonly versionId: string | undefined
  /** Hexadecimal, of one length; grows with every event, so that the events of one key can be put in order. */
  readonly sequencer: string
  readonly atEpochMs: number
}

let sequence = BigInt(Date.now()) << 20n

/** One bucket and all that is in it. */
export class Bucket {
  readonly name: string
  readonly createdEpochMs = Date.now()
  readonly hasObjectLock: boolean
  /** `undefined`: it never had any. */
  versioning: 'Enabled' | 'Suspended' | undefined
  /** Newest last. */
  readonly #versions = new Map<string, Version[]>()
  readonly #listeners: ((event: BucketEvent) => void)[] = []
  #sortedKeys: readonly string[] | undefined

  constructor(name: string, options: BucketOptions) {
    this.name = name
    this.hasObjectLock = options.objectLock ?? false
    this.versioning = (options.versioning ?? this.hasObjectLock) ? 'Enabled' : undefined
  }

  get isEmpty(): boolean {
    return this.#versions.size === 0
  }

  /** Calls `listener` for every event from now on. */
  onEvent(listener: (event: BucketEvent) => void): void {
    this.#listeners.push(listener)
  }

  /** Every key that has a version, in the order of its UTF-8 bytes. */
  keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#versions.keys()].toSorted(byUtf8)
    return this.#sortedKeys
  }

  /** All versions of a key, newest first. */
  versionsOf(key: string): readonly Version[] {
    return (this.#versions.get(key) ?? []).toReversed()
  }

  /** The newest version; undefined when there is none or it is a delete marker. */
  current(key: string): StoredObject | undefined {
    const latest = this.#versions.get(key)?.at(-1)
    return latest === undefined ? undefined : stored(latest)
  }

  /**
   * The object that a request asks for.
   * @throws {S3Problem} NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker that is named.
   */
  get(key: string, versionId: string | undefined): StoredObject {
    const versions = this.#versions.get(key) ?? []
    const found = versionId === undefined ? versions.at(-1) : versions.find((each) => each.versionId === versionId)
    if (found === undefined && versionId !== undefined)
      throw new S3Problem('NoSuchVersion', 'The specified version does not exist.', {
        elements: { Key: key, VersionId: versionId },
      })
    const object = found === undefined ? undefined : stored(found)
    if (object !== undefined) return object
    const headers: Record<string, string> =
      found === undefined ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': found.versionId }
    if (versionId !== undefined)
      throw new S3Problem('MethodNotAllowed', 'The specified method is not allowed against this resource.', { headers })
    throw new S3Problem('NoSuchKey', 'The specified key does not exist.', { elements: { Key: key }, headers })
  }

  /** Puts an object under a key, as a new version where versions are kept. */
  put(key: string, object: NewObject, event: BucketEvent['name'] = 'ObjectCreated:Put'): StoredObject {
    const version = { ...object, key, versionId: this.#newVersionId(), lastModifiedEpochMs: Date.now() }
    this.#add(version)
    this.#emit(event, version)
    return version
  }

  /** Deletes as a request without a version id does. The delete marker, where versions are kept. */
  markDeleted(key: string): Version | undefined {
    if (this.versioning === undefined) {
      const removed = this.#versions.get(key)?.at(-1)
      this.#versions.delete(key)
      this.#sortedKeys = undefined
      if (removed !== undefined) this.#emit('ObjectRemoved:Delete', { ...removed, content: undefined, etag: '' })
      return undefined
    }
    const marker: Version = {
      key,
      versionId: this.#newVersionId(),
      content: undefined,
      etag: '',
      headers: {},
      checksum: undefined,
      lock: undefined,
      lastModifiedEpochMs: Date.now(),
    }
    this.#add(marker)
    this.#emit('ObjectRemoved:DeleteMarkerCreated', marker)
    return marker
  }

  /**
   * Removes one version for good. The version, or undefined when there was none.
   * @throws {S3Problem} AccessDenied while it is locked.
   */
  remove(key: string, versionId: string, bypassGovernance: boolean): Version | undefined {
    const versions = this.#versions.get(key) ?? []
    const found = versions.find((each) => each.versionId === versionId)
    if (found === undefined) return undefined
    const { lock } = found
    const isHeld = lock !== undefined && lock.untilEpochMs > Date.now()
    if (isHeld && !(lock.mode === 'GOVERNANCE' && bypassGovernance))
      throw new S3Problem('AccessDenied', 'Access Denied because object protected by object lock.')
    this.#keep(
      key,
      versions.filter((each) => each !== found),
    )
    this.#emit('ObjectRemoved:Delete', { ...found, content: undefined, etag: '' })
    return found
  }

  #newVersionId(): string {
    return this.versioning === 'Enabled' ? randomBytes(24).toString('base64url') : NULL_VERSION
  }

  #add(version: Version): void {
    const older = this.#versions.get(version.key) ?? []
    const kept = older.filter((each) => each.versionId !== version.versionId)
    this.#keep(version.key, [...kept, version])
  }

  #keep(key: string, versions: Version[]): void {
    if (versions.length === 0) this.#versions.delete(key)
    if (this.#versions.has(key) !== versions.length > 0) this.#sortedKeys = undefined
    if (versions.length > 0) this.#versions.set(key, versions)
    else this.#sortedKeys = undefined
  }

  #emit(name: BucketEvent['name'], version: Version): void {
    sequence += 1n
    const event: BucketEvent = {
      name,
      bucket: this.name,
      key: version.key,
      size: version.content?.size,
      etag: version.etag === '' ? undefined : version.etag.replaceAll('"', ''),
      versionId: this.versioning === undefined ? undefined : version.versionId,
      sequencer: sequence.toString(16).toUpperCase().padStart(18, '0'),
      atEpochMs: Date.now(),
    }
    for (const listener of this.#listeners) listener(event)
  }
}

function stored(version: Version): StoredObject | undefined {
  const { content } = version
  return content === undefined ? undefined : { ...version, content }
}

const SURROGATE = /[\ud800-\udfff]/

/** UTF-16 sorts as UTF-8 does, but for characters beyond the basic plane. */
function byUtf8(left: string, right: string): number {
  if (SURROGATE.test(left) || SURROGATE.test(right)) return Buffer.compare(Buffer.from(left), Buffer.from(right))
  return left < right ? -1 : left > right ? 1 : 0
}
