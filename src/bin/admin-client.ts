import { type Given, WrongUsage } from './command.ts'

/** Options of the verbs that ask a gateway that runs. */
export const GATEWAY_OPTIONS = {
  url: { type: 'string', value: 'URL', help: 'the gateway, default $THINPLANE_URL or http://127.0.0.1:8080' },
  key: { type: 'string', value: 'KEY', help: 'a key or an access token, default $THINPLANE_KEY' },
} as const

const TIMEOUT_MS = 10_000

/** Asks the admin API of a gateway that runs. @throws {Error} with what to do. */
export type AskAdmin = (method: 'GET' | 'POST', path: string, body?: object) => Promise<unknown>

/** @throws {WrongUsage} when there is no key. */
export function adminClient(given: Given): AskAdmin {
  const url = (given.text('url') ?? process.env['THINPLANE_URL'] ?? 'http://127.0.0.1:8080').replace(/\/$/, '')
  const key = given.text('key') ?? process.env['THINPLANE_KEY']
  if (key === undefined || key === '')
    throw new WrongUsage('who asks? Give a key with --key or in $THINPLANE_KEY; `thinplane keys create` makes one')
  return async (method, path, body) => {
    const answer = await ask(`${url}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const said: unknown = await answer.json().catch(() => undefined)
    if (!answer.ok) throw new Error(`${reasonOf(said) ?? `the gateway answered ${answer.status}`} (${method} ${path})`)
    return said
  }
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new Error(
      `no gateway answers at ${new URL(url).origin} (${cause}): start it, or say where it is with --url`,
      {
        cause: error,
      },
    )
  }
}

function reasonOf(said: unknown): string | undefined {
  if (typeof said !== 'object' || said === null || !('error' in said)) return undefined
  const { error } = said
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : undefined
}
