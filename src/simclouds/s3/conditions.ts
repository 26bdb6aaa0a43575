import type { StoredObject } from './bucket.ts'
import { S3Problem } from './problem.ts'

type Headers = Readonly<Record<string, string>>

/**
 * The conditions of a read, in the order of RFC 9110, section 13.2.2. `prefix` is empty, or `x-amz-copy-source-` for the
 * source of a copy.
 * @throws {S3Problem} PreconditionFailed.
 */
export function checkReadConditions(headers: Headers, object: StoredObject, prefix: string): 'fine' | 'not-modified' {
  const condition = (name: string): string | undefined => headers[`${prefix}${name}`]
  // HTTP dates have no fractions of a second.
  const modifiedEpochMs = Math.floor(object.lastModifiedEpochMs / 1000) * 1000
  const match = condition('if-match')
  const unmodified = Date.parse(condition('if-unmodified-since') ?? '')
  if (match === undefined ? modifiedEpochMs > unmodified : !isListed(match, object.etag))
    throw failed(match === undefined ? 'If-Unmodified-Since' : 'If-Match')
  const noneMatch = condition('if-none-match')
  const since = Date.parse(condition('if-modified-since') ?? '')
  const isOld = noneMatch === undefined ? modifiedEpochMs <= since : isListed(noneMatch, object.etag)
  return isOld ? 'not-modified' : 'fine'
}

/**
 * The conditions of a write: `If-None-Match: *` and `If-Match`.
 * @throws {S3Problem} PreconditionFailed, NoSuchKey when the object to match is not there, NotImplemented for others.
 */
export function checkWriteConditions(headers: Headers, current: StoredObject | undefined): void {
  const noneMatch = headers['if-none-match']
  const match = headers['if-match']
  if (noneMatch !== undefined && (noneMatch !== '*' || match !== undefined))
    throw new S3Problem('NotImplemented', 'A header you provided implies functionality that is not implemented', {
      elements: { Header: 'If-None-Match' },
    })
  if (noneMatch === '*' && current !== undefined) throw failed('If-None-Match')
  if (match === undefined) return
  if (current === undefined) throw new S3Problem('NoSuchKey', 'The specified key does not exist.')
  if (!isListed(match, current.etag)) throw failed('If-Match')
}

/** A condition did not hold. */
export function failed(condition: string): S3Problem {
  return new S3Problem('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    elements: { Condition: condition },
  })
}

function isListed(list: string, etag: string): boolean {
  const bare = etag.replaceAll('"', '')
  return list
    .split(',')
    .some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '').replaceAll('"', '') === bare)
}
