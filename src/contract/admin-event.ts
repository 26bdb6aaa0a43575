/** Something that people did to the plane, or looked at: becomes an entry of the trail beside those of requests. */
export interface AdminEvent {
  readonly kind: 'sign-in' | 'key' | 'deny' | 'config' | 'audit-read' | 'log' | 'tenant-key' | 'target'
  /** A verb in the past tense: `created`, `rotated`, `revoked`, `signed-in`, `reloaded`, `read`, `listed`. */
  readonly action: string
  /** Who did it: `<via>:<tenant>/<subject>`, or `file` for a file that was changed outside of the admin API. */
  readonly actor: string
  /** What it was done to: an id of a key, a deny entry, a request or a session. Ids only, no names. */
  readonly subjectId: string
  /** `done`, `refused` or `failed`. */
  readonly outcome: 'done' | 'refused' | 'failed'
  readonly atEpochMs: number
  /** Ids, codes and counts; no personal data beyond ids, no secrets. */
  readonly detail: Readonly<Record<string, string>>
}

/** Takes one event; must not throw. */
export type OnAdminEvent = (event: AdminEvent) => void
