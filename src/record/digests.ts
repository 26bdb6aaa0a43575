import { type Hmac, type KeyObject, createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '#kit/durable-file.ts'

/**
 * Keyed digests of what a tenant's callers said: whoever holds a text can show that it was this one, nobody can try
 * out texts without the key, and destroying a tenant's key makes its digests say nothing to anybody.
 */
export interface TenantDigests {
  /** HMAC-SHA-256 with the tenant's key, hex. The key is made when the tenant is seen first. */
  of(tenant: string, text: string): string
  /** The same over pieces. */
  begin(tenant: string): Hmac
  /** Resolves when every key that was used is on the disk; undefined when all are. */
  readonly pending: Promise<void> | undefined
}

export interface TenantDigestOptions {
  /** Told when the key of a tenant is gone from the disk, so that another one is made. */
  readonly onForgotten?: ((tenant: string) => void) | undefined
  /** A clock that only rises. Default: the process's own. */
  readonly nowMs?: (() => number) | undefined
}

const KEY_BYTES = 32
/** A key whose file was taken away is forgotten within this time. */
const LOOK_MS = 1000

/**
 * One file a tenant below `folder`, named by the tenant's SHA-256, so that names say nothing: taking a file away
 * destroys the key.
 */
export function openTenantDigests(
  folder: string,
  { onForgotten, nowMs = () => performance.now() }: TenantDigestOptions = {},
): TenantDigests {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const keys = new Map<string, { readonly key: KeyObject; lookedAt: number }>()
  let pending: Promise<void> | undefined

  const keyOf = (tenant: string): KeyObject => {
    const known = keys.get(tenant)
    const now = nowMs()
    if (known !== undefined) {
      if (now - known.lookedAt < LOOK_MS || pending !== undefined) return known.key
      known.lookedAt = now
      if (isThere(keyPath(folder, tenant))) return known.key
      onForgotten?.(tenant)
    }
    const stored = readKey(keyPath(folder, tenant))
    const bytes = stored ?? randomBytes(KEY_BYTES)
    if (stored === undefined) {
      const writing = Promise.all([pending, writeKey(folder, keyPath(folder, tenant), bytes)]).then(() => undefined)
      pending = writing
      const settled = (): void => {
        if (pending === writing) pending = undefined
      }
      writing.then(settled, settled)
    }
    const key = createSecretKey(bytes)
    keys.set(tenant, { key, lookedAt: now })
    return key
  }

  return {
    of: (tenant, text) => createHmac('sha256', keyOf(tenant)).update(text).digest('hex'),
    begin: (tenant) => createHmac('sha256', keyOf(tenant)),
    get pending() {
      return pending
    },
  }
}

/** Destroys the key of a tenant. @returns false when there was none. */
export async function forgetTenant(folder: string, tenant: string): Promise<boolean> {
  try {
    await unlink(keyPath(folder, tenant))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
  await syncFolder(folder)
  return true
}

function keyPath(folder: string, tenant: string): string {
  return join(folder, `${hash('sha256', tenant, 'hex').slice(0, 40)}.key`)
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function readKey(path: string): Buffer | undefined {
  if (!isThere(path)) return undefined
  const bytes = readFileSync(path)
  if (bytes.length !== KEY_BYTES) throw new Error(`${path} is not a key of ${KEY_BYTES} bytes, restore or remove it`)
  return bytes
}

async function writeKey(folder: string, path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncFolder(folder)
}
