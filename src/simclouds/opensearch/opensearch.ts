import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import { parseJson } from '#kit/json.ts'
import type { AwsAccount } from '#simclouds/aws-json.ts'
import { checkSignature } from '#simclouds/aws-signature.ts'
import { json } from '#simclouds/service.ts'
import type { BodyReply, Service, SimRequest } from '#simclouds/service.ts'
import { runQuery } from './query.ts'
import { SearchProblem } from './search-indexes.ts'
import type { Field, SearchDocument, SearchIndex, SearchIndexes } from './search-indexes.ts'

/** Bodies that the smallest domains take (Amazon OpenSearch, "Network quotas"). */
const MAX_BODY_BYTES = 10 * 1024 * 1024
/** `index.max_result_window`. */
const MAX_SIZE = 10_000
/** Of one term, in UTF-8 (Lucene). */
const MAX_TERM_BYTES = 32_766

const Method = z.strictObject({
  name: z.literal('hnsw'),
  engine: z.literal('lucene'),
  space_type: z.literal('cosinesimil'),
})
const flag = z.boolean().default(true)
const Property = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['keyword', 'integer', 'boolean']), index: flag, doc_values: flag }),
  z.strictObject({
    type: z.literal('text'),
    index: flag,
    analyzer: z.literal('english').optional(),
    copy_to: z.string().optional(),
  }),
  z.strictObject({ type: z.literal('knn_vector'), dimension: z.int().min(1).max(16_000), method: Method }),
])
const CreateIndex = z.strictObject({
  settings: z.strictObject({ index: z.strictObject({ knn: z.literal(true) }) }),
  mappings: z.strictObject({ dynamic: z.literal('strict'), properties: z.record(z.string(), Property) }),
})
const Search = z.strictObject({
  query: z.unknown(),
  size: z.int().min(0).max(MAX_SIZE).default(10),
  track_total_hits: z.literal(false),
  sort: z
    .array(z.record(z.string(), z.enum(['asc', 'desc'])))
    .length(1)
    .optional(),
  search_after: z.array(z.number()).length(1).optional(),
})
const ByQuery = z.strictObject({ query: z.unknown() })
const Update = z.strictObject({
  query: z.unknown(),
  script: z.strictObject({
    lang: z.literal('painless'),
    source: z.string(),
    params: z.record(z.string(), z.unknown()),
  }),
})
const Action = z.strictObject({ index: z.strictObject({ _id: z.string().min(1).max(512) }) })

/** The only kind of script: a field becomes a parameter. */
const ASSIGNMENT = /^ctx\._source\.(\w+) = params\.(\w+)$/

type Handler = (index: SearchIndex, request: SimRequest, indexes: SearchIndexes) => unknown

const HANDLERS: Readonly<Record<string, Handler>> = {
  'GET _mapping': ({ name, mappings }) => ({ [name]: { mappings } }),
  'POST _bulk': (index, request, indexes) => refreshed(index, request, indexes, bulk(index, request)),
  'POST _count': (index, request) => ({ count: runQuery(index, ByQuery.parse(bodyOf(request)).query).size }),
  'POST _search': (index, request) => search(index, Search.parse(bodyOf(request))),
  'POST _delete_by_query'(index, request, indexes) {
    const ids = unchanged(index, ByQuery.parse(bodyOf(request)).query)
    for (const id of ids) index.written.delete(id)
    return refreshed(index, request, indexes, { ...OUTCOME, total: ids.length, deleted: ids.length })
  },
  'POST _update_by_query'(index, request, indexes) {
    const { query, script } = Update.parse(bodyOf(request))
    const [, field = '', param = ''] = ASSIGNMENT.exec(script.source) ?? []
    if (field === '') throw new SearchProblem('script_exception', 'the stand-in runs no such script')
    const ids = unchanged(index, query)
    for (const id of ids) {
      const document = { ...index.written.get(id), [field]: script.params[param] }
      const problem = problemOf(index, document)
      if (problem !== undefined) throw problem
      index.written.set(id, document)
    }
    return refreshed(index, request, indexes, { ...OUTCOME, total: ids.length, updated: ids.length })
  },
}

const OUTCOME = { took: 1, timed_out: false, version_conflicts: 0, failures: [] }

/**
 * A domain of Amazon OpenSearch, as far as an index of passages needs one: our reading of the documentation, with no
 * contract to check it against. What is written is found after a refresh only. Vectors are searched exactly, words by
 * BM25 over stems that are cruder than the real ones. Every other operation, query, parameter and setting is refused.
 */
export function openSearch(place: Place, account: AwsAccount, indexes: SearchIndexes): Service {
  return {
    name: 'opensearch',
    place,
    maxBodyBytes: MAX_BODY_BYTES + 1,
    reply: (request) => reply(request, account, indexes),
    fail: (status, retryAfterS) => ({
      ...problemReply(
        new SearchProblem(
          status === 429 ? 'rejected_execution_exception' : 'simulated_fault',
          'simulated fault',
          status,
        ),
      ),
      headers: {
        'content-type': 'application/json',
        ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      },
    }),
    brokenPiece: () => new TextEncoder().encode('{'),
    streamError: () => [],
  }
}

function reply(request: SimRequest, account: AwsAccount, indexes: SearchIndexes): BodyReply {
  const wrong = checkSignature(request, { ...account, service: 'es' }, Date.now())
  if (wrong !== undefined) return json(403, { message: wrong.message })
  if (request.body.length > MAX_BODY_BYTES) return json(413, { Message: 'Request size exceeded 10485760 bytes' })
  try {
    return json(200, handle(request, indexes))
  } catch (error) {
    if (error instanceof SearchProblem) return problemReply(error)
    if (!(error instanceof z.ZodError)) throw error
    const [issue] = error.issues
    return problemReply(new SearchProblem('parse_exception', `${issue?.path.join('.')}: ${issue?.message}`))
  }
}

function problemReply({ type, message: reason, status }: SearchProblem): BodyReply {
  return json(status, { error: { root_cause: [{ type, reason }], type, reason }, status })
}

function handle(request: SimRequest, indexes: SearchIndexes): unknown {
  const [name = '', action, ...rest] = request.path.slice(1).split('/')
  if (action === undefined && request.rawQuery === '') {
    if (request.method === 'PUT') return create(name, request, indexes)
    if (request.method === 'DELETE') {
      indexes.delete(name)
      return { acknowledged: true }
    }
  }
  const verb = `${request.method} ${action}`
  const handler = rest.length === 0 && Object.hasOwn(HANDLERS, verb) ? HANDLERS[verb] : undefined
  if (handler === undefined) throw new SearchProblem('illegal_argument_exception', 'the stand-in has no such operation')
  for (const [parameter, value] of request.query) {
    if (parameter !== 'refresh' || value !== 'true' || !/_(?:bulk|delete_by_query|update_by_query)$/.test(request.path))
      throw new SearchProblem('illegal_argument_exception', `unrecognized parameter: [${parameter}]`)
  }
  return handler(indexes.get(name), request, indexes)
}

function create(name: string, request: SimRequest, indexes: SearchIndexes): object {
  const { mappings } = CreateIndex.parse(bodyOf(request))
  const fields = Object.entries(mappings.properties).map(([field, property]): [string, Field] => {
    const isVector = property.type === 'knn_vector'
    const made: Field = {
      type: property.type,
      index: isVector || property.index,
      isSortable: 'doc_values' in property && property.doc_values,
      copyTo: property.type === 'text' ? property.copy_to : undefined,
      dimension: isVector ? property.dimension : undefined,
    }
    return [field, made]
  })
  indexes.create(name, mappings, new Map(fields))
  return { acknowledged: true, shards_acknowledged: true, index: name }
}

function bodyOf({ headers, text }: SimRequest): unknown {
  if (headers['content-type'] !== 'application/json')
    throw new SearchProblem('media_type_header_exception', 'Content-Type must be application/json', 406)
  const body = parseJson(text)
  if (body === undefined) throw new SearchProblem('parse_exception', 'the body is not JSON')
  return body
}

function refreshed(index: SearchIndex, { query }: SimRequest, indexes: SearchIndexes, answer: unknown): unknown {
  if (query.get('refresh') === 'true') indexes.refresh(index)
  return answer
}

function bulk(index: SearchIndex, { headers, text }: SimRequest): object {
  if (headers['content-type'] !== 'application/x-ndjson')
    throw new SearchProblem('media_type_header_exception', 'Content-Type must be application/x-ndjson', 406)
  if (!text.endsWith('\n'))
    throw new SearchProblem('illegal_argument_exception', 'The bulk request must be terminated by a newline [\\n]')
  const lines = text.slice(0, -1).split('\n')
  const items = Array.from({ length: Math.ceil(lines.length / 2) }, (_, at) => {
    const { _id: id } = Action.parse(parseJson(lines[at * 2] ?? '')).index
    const document = z.record(z.string(), z.unknown()).parse(parseJson(lines[at * 2 + 1] ?? ''))
    const problem = problemOf(index, document)
    if (problem !== undefined) {
      const error = { type: problem.type, reason: problem.message }
      return { index: { _index: index.name, _id: id, status: problem.status, error } }
    }
    const result = index.written.has(id) ? 'updated' : 'created'
    index.written.set(id, document)
    return { index: { _index: index.name, _id: id, status: result === 'created' ? 201 : 200, result } }
  })
  return { took: 1, errors: items.some((item) => 'error' in item.index), items }
}

function problemOf(index: SearchIndex, document: SearchDocument): SearchProblem | undefined {
  for (const [name, value] of Object.entries(document)) {
    const field = index.fields.get(name)
    if (field === undefined)
      return new SearchProblem(
        'strict_dynamic_mapping_exception',
        `introduction of [${name}] within [_doc] is not allowed`,
      )
    if (!fits(field, value)) return new SearchProblem('mapper_parsing_exception', `failed to parse field [${name}]`)
    if (field.type === 'keyword' && field.index && Buffer.byteLength(String(value)) > MAX_TERM_BYTES)
      return new SearchProblem('illegal_argument_exception', `immense term in field [${name}]`)
  }
  return undefined
}

function fits({ type, dimension }: Field, value: unknown): boolean {
  switch (type) {
    case 'keyword':
    case 'text':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31
    case 'knn_vector': {
      const vector = z.array(z.number()).safeParse(value).data
      // A vector without a direction has no cosine.
      return vector?.length === dimension && vector?.some((each) => each !== 0) === true
    }
  }
}

/** Ids that match; what has changed since the last refresh is a conflict, and then nothing is done. */
function unchanged(index: SearchIndex, query: unknown): string[] {
  const ids = [...runQuery(index, query).keys()]
  if (ids.some((id) => index.written.get(id) !== index.searchable.get(id)))
    throw new SearchProblem('version_conflict_engine_exception', 'version conflict', 409)
  return ids
}

function search(index: SearchIndex, { query, size, sort, search_after: after }: z.infer<typeof Search>): object {
  const scores = runQuery(index, query)
  const hits = [...scores].map(([id, score]) => ({ id, score, document: index.searchable.get(id) ?? {} }))
  const [key] = Object.entries(sort?.[0] ?? {})
  if (key === undefined && after !== undefined)
    throw new SearchProblem('illegal_argument_exception', 'Sort must contain at least one field.')
  if (key === undefined) {
    const best = hits.toSorted((a, b) => b.score - a.score).slice(0, size)
    return hitsOf(
      best.map(({ id, score, document }) => ({ _index: index.name, _id: id, _score: score, _source: document })),
    )
  }
  const [name, order] = key
  if (index.fields.get(name)?.isSortable !== true)
    throw new SearchProblem('illegal_argument_exception', `Can't sort on field [${name}]`)
  const sign = order === 'asc' ? 1 : -1
  const [last] = after ?? []
  const sorted = hits
    .map((hit) => ({ ...hit, place: Number(hit.document[name]) }))
    .filter(({ place }) => last === undefined || (place - last) * sign > 0)
    .toSorted((a, b) => (a.place - b.place) * sign)
    .slice(0, size)
  return hitsOf(
    sorted.map(({ id, document, place }) => ({
      _index: index.name,
      _id: id,
      _score: null,
      _source: document,
      sort: [place],
    })),
  )
}

function hitsOf(hits: readonly object[]): object {
  return { took: 1, timed_out: false, hits: { max_score: null, hits } }
}
