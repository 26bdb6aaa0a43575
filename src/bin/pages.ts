import { Refusal } from '#contract/refusal.ts'
import { placeName } from '#contract/place.ts'
import { identify } from '#identity/identify.ts'
import type { World } from '#journey'
import type { GatewayMetrics } from '#observe/gateway-metrics.ts'
import type { Trail } from '#record/trail.ts'
import type { Recent } from './recent.ts'
import { openApi } from '#wire/admin/open-api.ts'
import { statusPage } from '#wire/admin/status-page.ts'
import type { PageAnswer, PageRequest } from '#wire/serve.ts'

export interface PageDeps {
  readonly world: () => World
  readonly metrics: GatewayMetrics
  /** The latest entries, newest first. */
  readonly recent: Recent
  readonly startedEpochMs: number
  /** Reason why the plane is not ready, or undefined. */
  readonly notReady: () => string | undefined
  /** The audit log: its key, and how far it is signed. */
  readonly trail: Trail
  readonly reload: () => { readonly atEpochMs: number; readonly problem: string }
}

/** Roles that may look at the plane through the admin API. */
const LOOKERS = new Set(['admin', 'auditor', 'developer', 'viewer'])
const MAX_LISTED = 200

/** Every path that is not a model call. */
export async function answerPage(deps: PageDeps, request: PageRequest): Promise<PageAnswer | undefined> {
  const { path, method } = request
  if (method !== 'GET' && method !== 'HEAD') return undefined
  switch (path) {
    case '/livez':
      return text(200, 'ok\n')
    case '/readyz': {
      const reason = deps.notReady()
      return reason === undefined ? text(200, 'ok\n') : text(503, `${reason}\n`)
    }
    case '/metrics':
      return {
        status: 200,
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        body: deps.metrics.show(),
      }
    case '/.well-known/jwks.json':
      return json(deps.world().context?.passports.jwks ?? { keys: [] })
    case '/.well-known/thinplane-log.vkey':
      return text(200, `${deps.trail.vkey}\n`)
    case '/':
      return { status: 200, headers: PAGE_HEADERS, body: statusPage() }
    case '/v1/models':
      await identify(deps.world().identity, request, request.trip)
      return json({ object: 'list', data: models(deps.world(), deps.startedEpochMs) })
    case '/admin/v1/openapi.json':
      return json(openApi())
    default:
      return path.startsWith('/v1/models/')
        ? oneModel(deps, request)
        : path.startsWith('/admin/v1/')
          ? admin(deps, request)
          : undefined
  }
}

async function oneModel(deps: PageDeps, request: PageRequest): Promise<PageAnswer> {
  await identify(deps.world().identity, request, request.trip)
  const id = decodeURIComponent(request.path.slice('/v1/models/'.length))
  const model = models(deps.world(), deps.startedEpochMs).find((candidate) => candidate.id === id)
  if (model === undefined)
    throw new Refusal('ROUTE_UNKNOWN_MODEL', 'there is no such model, GET /v1/models lists them', { param: 'model' })
  return json(model)
}

/** OpenAI's list, with what stands behind each alias; a stand-in says that it is one. */
function models({ policy, route }: World, startedEpochMs: number) {
  return [...policy.aliases.values()].map((alias) => ({
    id: alias.name,
    object: 'model',
    created: Math.floor(startedEpochMs / 1000),
    owned_by: 'thinplane',
    thinplane: {
      collections: alias.collections,
      targets: alias.targets.flatMap((name) => {
        const target = route.targets.get(name)
        return target === undefined
          ? []
          : [{ name, model: target.model, place: placeName(target.place), simulated: target.simulated }]
      }),
    },
  }))
}

async function admin(deps: PageDeps, request: PageRequest): Promise<PageAnswer | undefined> {
  const principal = await identify(deps.world().identity, request, request.trip)
  if (!principal.roles.some((role) => LOOKERS.has(role))) {
    throw new Refusal('POLICY_DENIED', 'the admin API needs one of the roles admin, auditor, developer or viewer')
  }
  if (request.path === '/admin/v1/status') return json(status(deps))
  if (request.path === '/admin/v1/requests') return json({ requests: deps.recent.list(limitOf(request)) })
  if (request.path.startsWith('/admin/v1/requests/')) {
    const id = request.path.slice('/admin/v1/requests/'.length)
    const entry = deps.recent.find(id)
    if (entry === undefined)
      throw new Refusal(
        'WIRE_NOT_FOUND',
        'this request is not among the latest, `thinplane audit show ID` reads the whole trail',
      )
    return json(entry)
  }
  return undefined
}

function limitOf({ query }: PageRequest): number {
  const limit = Number(query.get('limit') ?? 50)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LISTED) {
    throw new Refusal('WIRE_MALFORMED', `\`limit\` must be a whole number from 1 to ${MAX_LISTED}`, { param: 'limit' })
  }
  return limit
}

function status({ world, startedEpochMs, notReady, reload, trail }: PageDeps) {
  const { record, route, policy, context, safety } = world()
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
    reload: reload(),
    planes: {
      data: context === undefined ? '' : placeName(context.place),
      safety: safety === undefined ? '' : placeName(safety.place),
    },
    targets: [...route.targets.values()].map(({ name, provider, place, model, simulated }) => ({
      name,
      provider,
      place: placeName(place),
      model,
      simulated,
      state: route.health.state(name),
    })),
    aliases: [...policy.aliases.values()],
    policies: [...policy.engine.policies.values()].map(({ id, file, guard }) => ({ id, file, guard: guard ?? '' })),
    memoryBytes: process.memoryUsage.rss(),
  }
}

/** Nothing from elsewhere, nothing inline but what the page's own hashes allow. */
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

function json(value: unknown): PageAnswer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(value),
  }
}

function text(status: number, body: string): PageAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body }
}
