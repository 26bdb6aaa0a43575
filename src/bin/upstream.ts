import { asList, asRecord, asText, parseJson } from '#kit/json.ts'

/**
 * What stands at a URL that the user named: base without `/v1`, and the model to ask for.
 * @throws with what to change when nothing OpenAI-compatible answers there.
 */
export async function findUpstream(
  given: string,
  model: string | undefined,
): Promise<{ readonly endpoint: string; readonly model: string }> {
  if (!/^https?:\/\/[^/]+/.test(given)) throw new Error(`${given} is not a URL, write it like http://127.0.0.1:11434`)
  const endpoint = given.replace(/\/+$/, '').replace(/\/v1$/, '')
  if (model !== undefined) return { endpoint, model }
  let text: string
  try {
    const answer = await fetch(`${endpoint}/v1/models`, { signal: AbortSignal.timeout(5000) })
    text = await answer.text()
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error && 'code' in error.cause
        ? ` (${String(error.cause.code)})`
        : ''
    throw new Error(`nothing answers at ${endpoint}/v1/models${cause}: start the server first, or name another URL`, {
      cause: error,
    })
  }
  const first = asText(asRecord(asList(asRecord(parseJson(text))?.['data'])[0])?.['id'])
  if (first === undefined) throw new Error(`${endpoint}/v1/models lists no model: name one with --upstream-model`)
  return { endpoint, model: first }
}
