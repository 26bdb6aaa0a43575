import type { AdminEvent } from '#contract/admin-event.ts'
import { OCSF_VERSION, PRODUCT } from './ocsf.ts'

/*
 * What people do to the plane, as OCSF events: signing in is Authentication (3002), keys, the deny list and the
 * configuration are Entity Management (3004), reading the trail is API Activity (6003) that reads. Keys are written in
 * canonical order (RFC 8785).
 */

const IAM = 3
const AUTHENTICATION = 3002
const ENTITY_MANAGEMENT = 3004
const APPLICATION = 6
const API_ACTIVITY = 6003

/** OCSF activities of an entity. */
const CREATE = 1
const READ = 2
const UPDATE = 3
const DELETE = 4
const ENTITY_ACTIVITY: Readonly<Record<string, number>> = {
  added: CREATE,
  created: CREATE,
  began: CREATE,
  listed: READ,
  read: READ,
  removed: DELETE,
  revoked: DELETE,
  destroyed: DELETE,
}

/** One event, ready for `canonicalJson`. `number` tells events of one millisecond apart. */
export function adminEventRecord(event: AdminEvent, number: number): object {
  const { kind } = event
  if (kind === 'sign-in') return signIn(event, number)
  return kind === 'audit-read' ? auditRead(event, number) : entityChange(event, number)
}

function signIn(event: AdminEvent, number: number): object {
  const activity = event.action === 'signed-out' ? 2 : 1
  return {
    activity_id: activity,
    category_uid: IAM,
    class_uid: AUTHENTICATION,
    ...common(event, number),
    service: { name: 'thinplane' },
    severity_id: event.outcome === 'done' ? 1 : 3,
    session: { uid: event.subjectId },
    ...statusOf(event),
    time: event.atEpochMs,
    type_uid: AUTHENTICATION * 100 + activity,
    unmapped: own(event),
    user: userOf(event.actor),
  }
}

function entityChange(event: AdminEvent, number: number): object {
  const activity = ENTITY_ACTIVITY[event.action] ?? UPDATE
  return {
    activity_id: activity,
    actor: { user: userOf(event.actor) },
    category_uid: IAM,
    class_uid: ENTITY_MANAGEMENT,
    entity: { type: event.kind, uid: event.subjectId },
    ...common(event, number),
    severity_id: event.outcome === 'done' ? 1 : 3,
    ...statusOf(event),
    time: event.atEpochMs,
    type_uid: ENTITY_MANAGEMENT * 100 + activity,
    unmapped: own(event),
  }
}

function auditRead(event: AdminEvent, number: number): object {
  return {
    activity_id: READ,
    actor: { user: userOf(event.actor) },
    api: { operation: 'audit-read', request: { uid: event.subjectId }, service: { name: 'thinplane' } },
    category_uid: APPLICATION,
    class_uid: API_ACTIVITY,
    ...common(event, number),
    severity_id: event.outcome === 'done' ? 1 : 3,
    src_endpoint: { name: 'admin-api' },
    ...statusOf(event),
    time: event.atEpochMs,
    type_uid: API_ACTIVITY * 100 + READ,
    unmapped: own(event),
  }
}

function common(event: AdminEvent, number: number): object {
  return {
    metadata: {
      product: PRODUCT,
      tenant_uid: tenantOf(event.actor),
      uid: `adm-${event.atEpochMs.toString(16).padStart(12, '0')}-${number.toString(16)}`,
      version: OCSF_VERSION,
    },
  }
}

function statusOf({ outcome }: AdminEvent): object {
  return { status_code: outcome, status_id: outcome === 'done' ? 1 : 2 }
}

function own({ action, actor, detail, kind, outcome, subjectId }: AdminEvent): object {
  return { action, actor, detail, kind, outcome, subjectId }
}

/** `<via>:<tenant>/<subject>`; anything else is a name of its own. */
const ACTOR = /^[^:/]+:([^/]*)\/(.*)$/

function userOf(actor: string): object {
  const subject = ACTOR.exec(actor)?.[2]
  // OCSF user type: 1 user, 3 system.
  return subject === undefined ? { name: actor, type_id: 3 } : { type_id: 1, uid: subject }
}

function tenantOf(actor: string): string {
  return ACTOR.exec(actor)?.[1] ?? ''
}
