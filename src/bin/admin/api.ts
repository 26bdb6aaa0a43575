import { listCollections } from '#context/collections.ts'
import type { AdminEvent, OnAdminEvent } from '#contract/admin-event.ts'
import type { Entry } from '#contract/entry.ts'
import { placeName } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import type { Sessions } from '#identity/session.ts'
import type { World } from '#journey'
import { parseJson } from '#kit/json.ts'
import type { Trail } from '#record/trail.ts'
import { aliasViews, targetViews } from '#route/view.ts'
import type { PageAnswer, PageRequest } from '#wire/serve.ts'
import { z } from 'zod'
import type { IdentityStores } from '#bin/identity-stores.ts'
import {
  CannotDo,
  GRACE_HOURS,
  MAX_GRACE_HOURS,
  NewDenial,
  NewKey,
  allowed,
  newDenial,
  newKey,
  readInput,
  revoked,
  rotated,
  shownKey,
} from '#bin/key-operations.ts'
import type { LimitsWorld } from '#bin/limits-world.ts'
import { ownTrip } from '#bin/own-trip.ts'
import type { Recent } from '#bin/recent.ts'
import { type Operation, authorize, isWatcher, operationOf } from './access.ts'
import { json } from './answers.ts'
import { askerOf } from './asker.ts'
import { shownLimits } from './limits.ts'

export interface ApiDeps {
  readonly world: () => World
  readonly stores: IdentityStores
  readonly sessions: Sessions
  /** The latest entries, newest first. */
  readonly recent: Recent
  readonly startedEpochMs: number
  /** Reason why the plane is not ready, or undefined. */
  readonly notReady: () => string | undefined
  /** Counters of limits; undefined without rules. */
  readonly limits: () => LimitsWorld | undefined
  readonly reload: () => { readonly atEpochMs: number; readonly problem: string }
  /** The audit log: how far it is signed. */
  readonly trail: Trail
  readonly onAdminEvent: OnAdminEvent
}

interface Asked {
  readonly request: PageRequest
  readonly asker: Principal
  readonly id: string
}

const MAX_LISTED = 200
/** A page that looks every two seconds is one reading of the trail an hour. */
const LIST_NOTED_MS = 3_600_000
/** A day; known peaks belong into the calendar. */
const MAX_WARM_MINUTES = 1440
const Rotation = z.strictObject({ graceHours: z.number().min(0).max(MAX_GRACE_HOURS).default(GRACE_HOURS) })

const Warming = z.strictObject({ minutes: z.int().min(0).max(MAX_WARM_MINUTES).default(15) })

type Handler = (deps: ApiDeps, asked: Asked) => PageAnswer | Promise<PageAnswer>

const HANDLERS: Readonly<Record<Operation, Handler>> = {
  'GET /admin/v1/status': (deps) => json(status(deps)),
  'GET /admin/v1/requests': listRequests,
  'GET /admin/v1/requests/{id}': readRequest,
  'GET /admin/v1/targets': (deps) => {
    const { route, policy } = deps.world()
    return json({ targets: targetViews(route), aliases: aliasViews(route, policy.aliases.values()) })
  },
  'POST /admin/v1/targets/{id}/warm': warmTarget,
  'GET /admin/v1/collections': async (deps) => json(await listCollections(deps.world().context, ownTrip())),
  'GET /admin/v1/keys': ({ stores }) => {
    const now = Date.now()
    return json({ keys: stores.keys.records().map((each) => shownKey(each, stores.keys.lastUsed.get(each.id), now)) })
  },
  'POST /admin/v1/keys': async ({ stores }, { request, asker }) => {
    const { key, record } = newKey(readInput(NewKey, await bodyOf(request)), Date.now())
    await stores.changeKeys(actorOf(asker), (keys) => [...keys, record])
    return json({ key, ...shownKey(record, undefined, Date.now()) }, 201)
  },
  'POST /admin/v1/keys/{id}/rotate': async ({ stores }, { request, asker, id }) => {
    const { graceHours } = readInput(Rotation, await bodyOf(request))
    let secret = ''
    await stores.changeKeys(actorOf(asker), (keys) => {
      const made = rotated(keys, id, { graceHours, nowEpochMs: Date.now() })
      secret = made.key
      return made.keys
    })
    return json({ key: secret, ...shownOne(stores, id) })
  },
  'DELETE /admin/v1/keys/{id}': async ({ stores }, { asker, id }) => {
    await stores.changeKeys(actorOf(asker), (keys) => revoked(keys, id))
    return json(shownOne(stores, id))
  },
  'GET /admin/v1/limits': ({ limits }, { request }) => json(shownLimits(limits(), limitOf(request), Date.now())),
  'POST /admin/v1/limits/reclaim': async (deps, { asker }) => {
    const world = deps.limits()
    if (world === undefined) throw new CannotDo('there is no limit, so nothing is held')
    const problem = await world.keeper.reclaim().then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    )
    const outcome = problem === '' ? 'done' : 'failed'
    note(deps, { kind: 'config', action: 'reclaimed', actor: actorOf(asker), subjectId: 'limits', outcome, detail: {} })
    if (problem !== '') throw new CannotDo(`the store of limits can not be used: ${problem}`)
    return json(shownLimits(world, MAX_LISTED, Date.now()))
  },
  'GET /admin/v1/denied': ({ stores }) => json({ denied: stores.denied.entries }),
  'POST /admin/v1/denied': async ({ stores }, { request, asker }) => {
    const entry = newDenial(readInput(NewDenial, await bodyOf(request)), Date.now())
    await stores.changeDenied(actorOf(asker), (entries) => [...entries, entry])
    return json(entry, 201)
  },
  'DELETE /admin/v1/denied/{id}': async ({ stores }, { asker, id }) => {
    await stores.changeDenied(actorOf(asker), (entries) => allowed(entries, id))
    return json({ id })
  },
}

/** @returns undefined for a path that the API does not have. @throws {Refusal} */
export async function answerApi(deps: ApiDeps, request: PageRequest): Promise<PageAnswer | undefined> {
  const asker = await askerOf(deps.sessions, deps.world().identity, request)
  const route = operationOf(request.method, request.path)
  if (route === undefined) return undefined
  const { operation, id } = route
  try {
    authorize(operation, asker)
  } catch (error) {
    noteRefusal(deps, operation, asker, id)
    throw error
  }
  // What would have to be recorded and can not be is not done.
  if (!isLooking(operation) && deps.notReady() !== undefined)
    throw new Refusal('RECORD_UNAVAILABLE', 'the audit trail can not be written, so nothing is changed', {
      retryAfterS: 5,
    })
  try {
    return await HANDLERS[operation](deps, { request, asker, id })
  } catch (error) {
    if (error instanceof CannotDo)
      throw new Refusal(error.message.startsWith('there is no') ? 'WIRE_NOT_FOUND' : 'WIRE_MALFORMED', error.message)
    throw error
  }
}

async function warmTarget(deps: ApiDeps, { request, asker, id }: Asked): Promise<PageAnswer> {
  const { minutes } = readInput(Warming, await bodyOf(request))
  const { route } = deps.world()
  const target = route.targets.get(id)
  if (target === undefined) throw new CannotDo(`there is no target \`${id}\`, GET /admin/v1/targets lists them`)
  if (target.scaling === undefined)
    throw new CannotDo(`target \`${id}\` does not sleep: give it \`scaling\` in the configuration if it does`)
  route.router.keeper.keep(target, minutes)
  note(deps, {
    kind: 'target',
    action: 'warmed',
    actor: actorOf(asker),
    subjectId: id,
    outcome: 'done',
    detail: { minutes: String(minutes) },
  })
  return json(targetViews(route).find(({ name }) => name === id))
}

/** `key:local/ops`: how events name who acted. */
export function actorOf({ via, tenant, subject }: Principal): string {
  return `${via}:${tenant}/${subject}`
}

/** What pages do every few seconds. */
function isLooking(operation: Operation): boolean {
  return (
    operation === 'GET /admin/v1/status' ||
    operation === 'GET /admin/v1/requests' ||
    operation === 'GET /admin/v1/targets'
  )
}

/** Somebody tried to change keys or the deny list, or to read an entry, without the role. Pages that look are no event. */
function noteRefusal(deps: ApiDeps, operation: Operation, asker: Principal, id: string): void {
  if (isLooking(operation)) return
  const kind = kindOf(operation)
  note(deps, { kind, action: 'tried', actor: actorOf(asker), subjectId: id, outcome: 'refused', detail: { operation } })
}

function kindOf(operation: Operation): AdminEvent['kind'] {
  if (operation.includes('/keys')) return 'key'
  if (operation.includes('/denied')) return 'deny'
  if (operation.includes('/targets')) return 'target'
  return operation.includes('/limits') ? 'config' : 'audit-read'
}

function note({ onAdminEvent }: ApiDeps, event: Omit<AdminEvent, 'atEpochMs'>): void {
  onAdminEvent({ ...event, atEpochMs: Date.now() })
}

async function bodyOf(request: PageRequest): Promise<unknown> {
  const text = await request.body()
  if (text.trim() === '') return {}
  const value = parseJson(text)
  if (value === undefined) throw new Refusal('WIRE_MALFORMED', 'the body is not JSON')
  return value
}

function shownOne({ keys }: IdentityStores, id: string): object {
  const record = keys.find(id)?.record
  return record === undefined ? {} : shownKey(record, keys.lastUsed.get(id), Date.now())
}

function listRequests(deps: ApiDeps, { request, asker }: Asked): PageAnswer {
  const entries = deps.recent.list(limitOf(request))
  if (!isWatcher(asker)) return json({ requests: entries.map((entry) => withheld(entry, asker)) })
  if (isFirstInAWhile(deps, asker)) {
    note(deps, {
      kind: 'audit-read',
      action: 'listed',
      actor: actorOf(asker),
      subjectId: '',
      outcome: 'done',
      detail: { entries: String(entries.length) },
    })
  }
  return json({ requests: entries })
}

/** When each reader's listing was last noted, by the world's own lifetime. */
const notedAt = new WeakMap<Recent, Map<string, number>>()

function isFirstInAWhile({ recent }: ApiDeps, asker: Principal): boolean {
  const times = notedAt.get(recent) ?? new Map<string, number>()
  notedAt.set(recent, times)
  const now = Date.now()
  for (const [actor, at] of times) if (now - at >= LIST_NOTED_MS) times.delete(actor)
  const actor = actorOf(asker)
  if (times.has(actor)) return false
  times.set(actor, now)
  return true
}

/** Somebody else's request without who asked and what was read. */
function withheld(entry: Entry, { tenant, subject }: Principal): Entry {
  const { principal } = entry
  if (principal === undefined || (principal.tenant === tenant && principal.subject === subject)) return entry
  const nobody = { ...principal, subject: '', client: '', credentialId: '' }
  return { ...entry, principal: nobody, peer: '', receipt: undefined }
}

function readRequest(deps: ApiDeps, { asker, id }: Asked): PageAnswer {
  const entry = deps.recent.find(id)
  note(deps, {
    kind: 'audit-read',
    action: 'read',
    actor: actorOf(asker),
    subjectId: id,
    outcome: entry === undefined ? 'failed' : 'done',
    detail: {},
  })
  if (entry === undefined)
    throw new Refusal(
      'WIRE_NOT_FOUND',
      'this request is not among the latest, `thinplane audit show ID` reads the whole trail',
    )
  return json(entry)
}

function limitOf({ query }: PageRequest): number {
  const limit = Number(query.get('limit') ?? 50)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LISTED) {
    throw new Refusal('WIRE_MALFORMED', `\`limit\` must be a whole number from 1 to ${MAX_LISTED}`, { param: 'limit' })
  }
  return limit
}

function status({ world, stores, startedEpochMs, notReady, reload, trail }: ApiDeps) {
  const { record, route, policy, context, safety, identity } = world()
  return {
    place: placeName(record.place),
    startedEpochMs,
    ready: notReady() === undefined,
    notReady: notReady() ?? '',
    audit: {
      entries: record.log.size,
      trouble: record.log.trouble ?? '',
      mended: record.log.mended,
      ...trail.status(),
    },
    identity: {
      issuers: identity.issuers.map(({ name }) => name),
      keys: stores.keys.records().length,
      denied: stores.denied.entries.length,
      trouble: stores.trouble(),
    },
    reload: reload(),
    planes: {
      data: context === undefined ? '' : placeName(context.place),
      safety: safety?.services[0] === undefined ? '' : placeName(safety.services[0].place),
    },
    targets: targetViews(route),
    aliases: [...policy.aliases.values()],
    policies: [...policy.engine.policies.values()].map(({ id, file, guard }) => ({ id, file, guard: guard ?? '' })),
    memoryBytes: process.memoryUsage.rss(),
  }
}
