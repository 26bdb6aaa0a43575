import { z } from 'zod'
import type { Entry, Outcome } from '#contract/entry.ts'
import type { Agent } from '#contract/principal.ts'
import { asRecord, parseJson } from '#kit/json.ts'

/*
 * The form in which an entry stands in the trail: an event of the Open Cybersecurity Schema Framework (OCSF 1.8.0),
 * class API Activity (6003) with the profiles `ai_operation`, `security_control` and `trace`. What OCSF has no name
 * for stands under `unmapped`, as it asks for. Keys are written in canonical order (RFC 8785), so that the text can
 * be made without sorting.
 */

export const OCSF_VERSION = '1.8.0'
export const PRODUCT = { name: 'Thinplane', vendor_name: 'Thinplane' } as const

/** Form of `unmapped`. */
const OWN_FORM = 2
const CREATE = 1
/** OCSF severity: 1 informational, 2 low, 3 medium, 4 high. */
const SEVERITY: Readonly<Record<Outcome, number>> = {
  answered: 1,
  abandoned: 1,
  refused: 2,
  denied: 3,
  blocked: 3,
  failed: 4,
}
/** OCSF disposition: 1 allowed, 2 blocked, 16 no action. */
const DISPOSITION: Readonly<Record<Outcome, number>> = {
  answered: 1,
  abandoned: 1,
  refused: 16,
  denied: 2,
  blocked: 2,
  failed: 16,
}
/** OCSF user type: 1 user, 3 system (an application), 4 service (a key). */
const USER_TYPE: Readonly<Record<string, number>> = { user: 1, app: 3, key: 4 }

/** One request as an OCSF event. */
export function requestEvent(entry: Entry) {
  const { principal, usage, outcome } = entry
  const isDenied = outcome === 'denied' || outcome === 'blocked'
  const input = usage.input + usage.cachedRead + usage.cachedWrite
  const output = usage.output + usage.reasoning
  return {
    action_id: isDenied ? 2 : 1,
    activity_id: CREATE,
    actor: {
      ...(principal === undefined || principal.client === '' ? undefined : { app_uid: principal.client }),
      session: { issuer: principal?.via ?? '', uid: principal?.credentialId ?? '' },
      user:
        principal === undefined
          ? { type_id: 0, uid: '' }
          : {
              ...(principal.groups.length === 0 ? undefined : { groups: principal.groups.map((uid) => ({ uid })) }),
              org: { uid: principal.tenant },
              type_id: USER_TYPE[principal.kind] ?? 99,
              uid: principal.subject,
            },
    },
    ...(entry.target === '' ? undefined : { ai_model: { ai_provider: entry.provider, name: entry.model } }),
    api: {
      operation: entry.dialect,
      request: { uid: entry.id },
      response: { code: entry.status, error: entry.code },
      service: { name: 'thinplane' },
    },
    category_uid: 6,
    class_uid: 6003,
    disposition_id: DISPOSITION[outcome],
    duration: Math.round(entry.ms),
    message_context: {
      completion_tokens: output,
      prompt_tokens: input,
      service: { name: entry.target === '' ? 'thinplane' : entry.target },
      total_tokens: input + output,
    },
    metadata: {
      product: PRODUCT,
      profiles: PROFILES,
      tenant_uid: principal?.tenant ?? '',
      uid: entry.id,
      version: OCSF_VERSION,
    },
    severity_id: SEVERITY[outcome],
    src_endpoint: { ip: entry.peer },
    status_code: entry.code === '' ? 'OK' : entry.code,
    status_id: outcome === 'answered' ? 1 : 2,
    time: entry.atEpochMs,
    trace: { uid: entry.traceId },
    type_uid: 600_301,
    unmapped: {
      alias: entry.alias,
      attempts: entry.attempts,
      caller: principal && callerOf(principal),
      cost: entry.cost,
      crossings: entry.crossings,
      digests: entry.digests,
      findings: entry.findings,
      firstContentMs: entry.firstContentMs,
      form: OWN_FORM,
      images: entry.images,
      lag: entry.lag,
      limits: entry.limits,
      ms: entry.ms,
      outcome,
      policy: entry.policy,
      receipt: entry.receipt,
      remote: entry.remote,
      route: entry.route,
      safety: entry.safety,
      stages: entry.stages,
      stream: entry.stream,
      usage,
      usageEstimated: entry.usageEstimated,
    },
  }
}

const PROFILES = ['ai_operation', 'security_control', 'trace'] as const

/** What of a caller has no place in OCSF's user. */
function callerOf({ agent, groupCount, kind, roles }: NonNullable<Entry['principal']>) {
  return { agent: agent && agentOf(agent), groupCount, kind, roles }
}

/** Keys in canonical order. */
function agentOf({ actor, blueprint, relation, subject, tenant }: Agent): Agent {
  return { actor, blueprint, relation, subject, tenant }
}

/** What entryOf relies on; the rest of an entry is ours and was hashed as it stands. */
const Stored = z.looseObject({
  actor: z.looseObject({
    app_uid: z.string().optional(),
    session: z.looseObject({ issuer: z.string(), uid: z.string() }),
    user: z.looseObject({
      uid: z.string(),
      groups: z.array(z.looseObject({ uid: z.string() })).optional(),
      org: z.looseObject({ uid: z.string() }).optional(),
    }),
  }),
  ai_model: z.looseObject({ ai_provider: z.string(), name: z.string() }).optional(),
  api: z.looseObject({ operation: z.string(), response: z.looseObject({ code: z.number(), error: z.string() }) }),
  class_uid: z.literal(6003),
  message_context: z.looseObject({ service: z.looseObject({ name: z.string() }) }),
  metadata: z.looseObject({ uid: z.string() }),
  src_endpoint: z.looseObject({ ip: z.string() }),
  time: z.number(),
  trace: z.looseObject({ uid: z.string() }),
  unmapped: z.looseObject({ form: z.literal(OWN_FORM) }),
})

/** The entry behind a line of the trail; undefined for events that are no requests, and for other forms. */
export function entryOf(text: string): Entry | undefined {
  const parsed = asRecord(parseJson(text))
  if (parsed?.['class_uid'] !== 6003 || parsed['activity_id'] !== CREATE) return undefined
  const checked = Stored.safeParse(parsed)
  if (!checked.success) return undefined
  const { actor, ai_model: model, api, message_context: context, metadata, src_endpoint: source } = checked.data
  const {
    caller,
    form: _form,
    ...own
  } = checked.data.unmapped as unknown as Omit<Entry, 'principal'> & {
    readonly caller?: Pick<NonNullable<Entry['principal']>, 'agent' | 'groupCount' | 'kind' | 'roles'>
    readonly form: number
  }
  return {
    ...own,
    receipt: own.receipt,
    images: own.images,
    route: own.route,
    limits: own.limits,
    id: metadata.uid,
    traceId: checked.data.trace.uid,
    atEpochMs: checked.data.time,
    status: api.response.code,
    code: api.response.error,
    dialect: api.operation,
    peer: source.ip,
    target: model === undefined ? '' : context.service.name,
    provider: model?.ai_provider ?? '',
    model: model?.name ?? '',
    principal: caller && {
      ...caller,
      agent: caller.agent,
      subject: actor.user.uid,
      tenant: actor.user.org?.uid ?? '',
      groups: (actor.user.groups ?? []).map(({ uid }) => uid),
      via: actor.session.issuer,
      client: actor.app_uid ?? '',
      credentialId: actor.session.uid,
    },
  }
}
