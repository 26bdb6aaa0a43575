import type { Principal } from '#contract/principal.ts'
import { Refusal } from '#contract/refusal.ts'

export type Role = 'admin' | 'auditor' | 'developer' | 'viewer'

const EVERY_ROLE = ['admin', 'auditor', 'developer', 'viewer'] as const
const WATCHERS = ['admin', 'auditor'] as const
const ADMINS = ['admin'] as const

/** Who may do what through the admin API: the whole of it. A role that is not named may not. */
export const ACCESS = {
  'GET /admin/v1/status': EVERY_ROLE,
  // Entries of others come without who asked and what was read to everybody but admins and auditors.
  'GET /admin/v1/requests': EVERY_ROLE,
  'GET /admin/v1/requests/{id}': WATCHERS,
  'GET /admin/v1/targets': EVERY_ROLE,
  // Keeping a GPU awake costs money.
  'POST /admin/v1/targets/{id}/warm': ADMINS,
  'GET /admin/v1/collections': EVERY_ROLE,
  'GET /admin/v1/keys': WATCHERS,
  'POST /admin/v1/keys': ADMINS,
  'POST /admin/v1/keys/{id}/rotate': ADMINS,
  'DELETE /admin/v1/keys/{id}': ADMINS,
  'GET /admin/v1/limits': WATCHERS,
  'POST /admin/v1/limits/reclaim': ADMINS,
  'GET /admin/v1/denied': WATCHERS,
  'POST /admin/v1/denied': ADMINS,
  'DELETE /admin/v1/denied/{id}': ADMINS,
} as const satisfies Readonly<Record<string, readonly Role[]>>

export type Operation = keyof typeof ACCESS

const ROUTES = Object.keys(ACCESS).map((name) => {
  const [method = '', path = ''] = name.split(' ')
  return {
    operation: name as Operation,
    method,
    pattern: new RegExp(`^${path.replace('{id}', '([\\w.-]{1,100})')}$`),
  }
})

/**
 * What a request to the admin API asks for.
 * @returns undefined for a path that is none. @throws {Refusal} WIRE_NOT_FOUND when the path takes other methods.
 */
export function operationOf(method: string, path: string): { operation: Operation; id: string } | undefined {
  const asked = method === 'HEAD' ? 'GET' : method
  const here = ROUTES.flatMap((route) => {
    const match = route.pattern.exec(path)
    return match === null ? [] : [{ ...route, id: match[1] ?? '' }]
  })
  const found = here.find((route) => route.method === asked)
  if (found !== undefined) return found
  if (here.length === 0) return undefined
  throw new Refusal('WIRE_NOT_FOUND', `\`${path}\` takes ${here.map((route) => route.method).join(' and ')}`)
}

/** @throws {Refusal} POLICY_DENIED naming the roles that would do. */
export function authorize(operation: Operation, { roles }: Principal): void {
  const needed: readonly string[] = ACCESS[operation]
  if (roles.some((role) => needed.includes(role))) return
  throw new Refusal(
    'POLICY_DENIED',
    `\`${operation}\` needs ${needed.length === 1 ? 'the role' : 'one of the roles'} ${needed.join(', ')}`,
  )
}

/** Whether entries of others are shown to them whole. */
export function isWatcher({ roles }: Principal): boolean {
  return roles.some((role) => (WATCHERS as readonly string[]).includes(role))
}
