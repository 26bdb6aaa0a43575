import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Principal } from '#contract/principal.ts'

/** One person who has signed in, for as long as the session lasts. */
export interface Session {
  readonly principal: Principal
  /** What to call them on a page; shown to themselves only. */
  readonly name: string
  /** What a page has to send along with whatever changes something. */
  readonly csrf: string
  readonly expiresAtEpochMs: number
}

/**
 * Sessions in memory: nothing to steal from a disk, and nothing that outlives this process. After a restart people
 * sign in again, which their issuer usually does without asking.
 */
export interface Sessions {
  /** @returns the session, and the secret id for the cookie. */
  readonly open: (person: Pick<Session, 'principal' | 'name'>, lifetimeMs: number) => { id: string; session: Session }
  readonly find: (id: string) => Session | undefined
  readonly close: (id: string) => void
  readonly closeAll: () => void
}

/** The oldest make room: each costs a kilobyte at most. */
const MAX_SESSIONS = 1000
const ID_BYTES = 32

export function createSessions(nowEpochMs: () => number, capacity = MAX_SESSIONS): Sessions {
  /** By digest: whoever reads this memory has no cookie yet. In order of opening. */
  const sessions = new Map<string, Session>()
  return {
    open: ({ principal, name }, lifetimeMs) => {
      const id = randomBytes(ID_BYTES).toString('base64url')
      const digest = digestOf(id)
      const session: Session = Object.freeze({
        principal: Object.freeze({ ...principal, credentialId: `session-${digest.slice(0, 16)}` }),
        name,
        csrf: randomBytes(ID_BYTES).toString('base64url'),
        expiresAtEpochMs: nowEpochMs() + lifetimeMs,
      })
      for (const [old, { expiresAtEpochMs }] of sessions) {
        if (sessions.size < capacity && expiresAtEpochMs > nowEpochMs()) break
        sessions.delete(old)
      }
      sessions.set(digest, session)
      return { id, session }
    },
    find: (id) => {
      const digest = digestOf(id)
      const session = sessions.get(digest)
      if (session === undefined || session.expiresAtEpochMs > nowEpochMs()) return session
      sessions.delete(digest)
      return undefined
    },
    close: (id) => void sessions.delete(digestOf(id)),
    closeAll: () => sessions.clear(),
  }
}

/** Whether a request that came with a cookie came from a page of ours too. */
export function isFromPage(session: Session, presented: string | undefined): boolean {
  return timingSafeEqual(hash('sha256', presented ?? '', 'buffer'), hash('sha256', session.csrf, 'buffer'))
}

function digestOf(id: string): string {
  return hash('sha256', id, 'hex')
}
