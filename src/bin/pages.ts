import { placeName } from '#contract/place.ts'
import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'
import { identify } from '#identity/identify.ts'
import type { World } from '#journey'
import type { GatewayMetrics } from '#observe/gateway-metrics.ts'
import type { Trail } from '#record/trail.ts'
import { openApi } from '#wire/admin/open-api.ts'
import { statusPage } from '#wire/admin/status-page.ts'
import type { PageAnswer, PageRequest } from '#wire/serve.ts'
import { PAGE_HEADERS, json, text } from './admin/answers.ts'
import { type ApiDeps, answerApi } from './admin/api.ts'
import { type AuthDeps, answerAuth } from './admin/auth.ts'

export interface PageDeps {
  readonly api: ApiDeps
  readonly auth: AuthDeps
  readonly metrics: GatewayMetrics
  /** The audit log: its key, and how far it is signed. */
  readonly trail: Trail
}

/** Every path that is not a model call. */
export async function answerPage(deps: PageDeps, request: PageRequest): Promise<PageAnswer | undefined> {
  const { path, method } = request
  if (path.startsWith('/auth/')) return answerAuth(deps.auth, request)
  if (path.startsWith('/admin/v1/') && path !== '/admin/v1/openapi.json') return answerApi(deps.api, request)
  if (method !== 'GET' && method !== 'HEAD') return undefined
  const { world, notReady, startedEpochMs } = deps.api
  switch (path) {
    case '/livez':
      return text(200, 'ok\n')
    case '/readyz': {
      const reason = notReady()
      return reason === undefined ? text(200, 'ok\n') : text(503, `${reason}\n`)
    }
    case '/metrics':
      return {
        status: 200,
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        body: deps.metrics.show(),
      }
    case '/.well-known/jwks.json':
      return json(world().context?.passports.jwks ?? { keys: [] })
    case '/.well-known/thinplane-log.vkey':
      return text(200, `${deps.trail.vkey}\n`)
    case '/':
      return { status: 200, headers: PAGE_HEADERS, body: statusPage() }
    case '/v1/models':
      return json(modelList(models(world(), await caller(world(), request), startedEpochMs), isAnthropic(request)))
    case '/admin/v1/openapi.json':
      return json(openApi())
    default:
      return path.startsWith('/v1/models/') ? oneModel(deps, request) : undefined
  }
}

async function caller({ identity }: World, request: PageRequest): Promise<Principal> {
  return identify(identity, request, request.trip)
}

async function oneModel({ api }: PageDeps, request: PageRequest): Promise<PageAnswer> {
  const world = api.world()
  const principal = await caller(world, request)
  const id = request.path.slice('/v1/models/'.length)
  const model = models(world, principal, api.startedEpochMs).find((candidate) => candidate.id === id)
  if (model === undefined)
    throw new Refusal('ROUTE_UNKNOWN_MODEL', 'there is no such model, GET /v1/models lists them', { param: 'model' })
  return json(isAnthropic(request) ? anthropicModel(model) : model)
}

type Model = ReturnType<typeof models>[number]

/** Anthropic's clients send the version of its API with everything. */
function isAnthropic({ header }: PageRequest): boolean {
  return header('anthropic-version') !== undefined
}

function modelList(list: readonly Model[], anthropic: boolean): object {
  if (!anthropic) return { object: 'list', data: list }
  const data = list.map(anthropicModel)
  return { data, has_more: false, first_id: list[0]?.id ?? null, last_id: list.at(-1)?.id ?? null }
}

function anthropicModel({ id, created, thinplane }: Model): object {
  return { type: 'model', id, display_name: id, created_at: new Date(created * 1000).toISOString(), thinplane }
}

/** OpenAI's list, as far as the caller's key reaches, with what stands behind each alias; a stand-in says that it is one. */
function models({ policy, route }: World, { scope }: Principal, startedEpochMs: number) {
  const mine = [...policy.aliases.values()].filter(({ name }) => scope?.aliases?.includes(name) !== false)
  return mine.map((alias) => ({
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
