import type { AdminEvent, OnAdminEvent } from '#contract/admin-event.ts'
import { canonicalJson } from '#kit/canonical-json.ts'
import { type Log, errorFacts } from '#observe/log.ts'
import type { AuditLog } from '#record/log.ts'
import { adminEventRecord } from '#record/ocsf-admin.ts'

export interface AdminRecord {
  readonly note: OnAdminEvent
  /** From now on events go into the trail, those that came before included. */
  readonly begin: (trail: AuditLog) => void
}

/** Events from before the trail is open that are kept for it. */
const MAX_EARLY = 1000

/** What was done to the plane becomes an entry of the trail, and a line of its log: ids and codes only. */
export function createAdminRecord(log: Log): AdminRecord {
  let trail: AuditLog | undefined
  let number = 0
  const early: AdminEvent[] = []
  const record = (to: AuditLog, event: AdminEvent): void => {
    number += 1
    to.append(canonicalJson(adminEventRecord(event, number))).catch((error: unknown) =>
      log.error('an admin event is not in the trail', { action: event.action, kind: event.kind, ...errorFacts(error) }),
    )
  }
  return {
    note: (event) => {
      const { kind, action, actor, subjectId, outcome, detail } = event
      log[outcome === 'done' ? 'info' : 'warn']('admin event', { ...detail, kind, action, actor, subjectId, outcome })
      if (trail !== undefined) record(trail, event)
      else if (early.length < MAX_EARLY) early.push(event)
    },
    begin: (opened) => {
      trail = opened
      for (const event of early.splice(0)) record(opened, event)
    },
  }
}

/** The key of a tenant's digests is gone: what they stand for can not be shown any more. */
export function keyDestroyed(tenant: string, atEpochMs: number): AdminEvent {
  return {
    kind: 'tenant-key',
    action: 'destroyed',
    actor: 'file',
    subjectId: tenant,
    outcome: 'done',
    atEpochMs,
    detail: {},
  }
}
