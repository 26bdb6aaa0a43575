import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import type { Place } from '#contract/place.ts'
import { FaultProblem, readFault, type FaultBook } from './faults.ts'
import { MintProblem, type MintOptions } from './entra-tokens.ts'
import { masked, type RequestLog } from './request-log.ts'
import { json, SERVICE_NAMES, type BodyReply, type ServiceName } from './service.ts'

/** What the switchboard switches. */
export interface Switches {
  readonly book: FaultBook
  readonly log: RequestLog
  readonly services: readonly SwitchedService[]
  readonly rotateKeys: () => Promise<string>
  readonly mintToken: (options: MintOptions) => Promise<string>
}

export interface SwitchedService {
  readonly name: ServiceName
  readonly url: string
  readonly place: Place
  /** What it shows of itself now. */
  readonly state: () => unknown
}

const MAX_BODY_BYTES = 256 * 1024

const mintSchema = z.strictObject({
  tenant: z.string().optional(),
  version: z.union([z.literal(1), z.literal(2)]).optional(),
  client: z.string().optional(),
  user: z.string().optional(),
  roles: z.array(z.string()).optional(),
  groups: z.array(z.string()).optional(),
  scopes: z.string().optional(),
  audience: z.string().optional(),
  lifetimeS: z.int().optional(),
  skewMs: z.int().optional(),
  header: z.record(z.string(), z.unknown()).optional(),
  personalKey: z.boolean().optional(),
  claims: z.record(z.string(), z.unknown()).optional(),
})

/** A small HTTP API to set faults and look at what the simulated clouds received. */
export function switchboard(switches: Switches): Server {
  return createServer((request, response) => {
    void respond(request, response, switches)
  })
}

async function respond(request: IncomingMessage, response: ServerResponse, switches: Switches): Promise<void> {
  const reply = await safely(async () => route(request, await readText(request), switches))
  response.writeHead(reply.status, reply.headers)
  response.end(reply.body)
}

async function safely(work: () => Promise<BodyReply>): Promise<BodyReply> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FaultProblem || error instanceof MintProblem) {
      return json(400, { error: { field: error.field, message: error.message, allowed: error.allowed } })
    }
    return json(500, { error: { message: error instanceof Error ? error.message : String(error) } })
  }
}

async function route(request: IncomingMessage, text: string, switches: Switches): Promise<BodyReply> {
  // A page in somebody's browser must not break the clouds or mint tokens.
  if (request.headers.origin !== undefined) return problem(403, 'browsers are not served')
  const url = new URL(request.url ?? '/', 'http://switchboard')
  const service = serviceOf(url.searchParams.get('service'))
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /':
      return json(200, { services: switches.services.map(shown), faults: switches.book.list() })
    case 'GET /faults':
      return json(200, { faults: switches.book.list() })
    case 'POST /faults':
      return setFaults(parse(text), switches.book)
    case 'DELETE /faults':
      switches.book.clear(service)
      return json(200, { faults: switches.book.list() })
    case 'GET /requests':
      return json(200, requestsOf(switches.log, service))
    case 'POST /entra/rotate':
      return json(200, { kid: await switches.rotateKeys() })
    case 'POST /entra/token':
      return json(200, { token_type: 'Bearer', access_token: await switches.mintToken(readMint(text)) })
    default:
      return problem(404, 'there is no such path', PATHS)
  }
}

function shown({ state, ...service }: SwitchedService): unknown {
  return { ...service, state: state() }
}

const PATHS = [
  'GET /',
  'GET /faults',
  'POST /faults',
  'DELETE /faults?service=',
  'GET /requests?service=',
  'POST /entra/rotate',
  'POST /entra/token',
]

/** All or none: a list with one bad fault sets nothing. */
function setFaults(value: unknown, book: FaultBook): BodyReply {
  const faults = (Array.isArray(value) ? value : [value]).map(readFault)
  for (const fault of faults) book.set(fault)
  return json(200, { faults: book.list() })
}

function requestsOf(log: RequestLog, service: ServiceName | undefined): unknown {
  const names = service === undefined ? SERVICE_NAMES : [service]
  return {
    services: Object.fromEntries(
      names.map((name) => [name, { count: log.count(name), last: log.last(name).map(masked) }]),
    ),
  }
}

function readMint(text: string): MintOptions {
  const read = mintSchema.safeParse(text.trim() === '' ? {} : parse(text))
  if (read.success) return read.data
  const issue = read.error.issues[0]
  const field = issue?.code === 'unrecognized_keys' ? (issue.keys[0] ?? '') : (issue?.path.join('.') ?? '')
  throw new FaultProblem(field, `\`${field}\`: ${issue?.message ?? 'not valid'}`, Object.keys(mintSchema.shape))
}

function serviceOf(name: string | null): ServiceName | undefined {
  if (name === null) return undefined
  const service = SERVICE_NAMES.find((each) => each === name)
  if (service === undefined) throw new FaultProblem('service', `there is no service \`${name}\``, SERVICE_NAMES)
  return service
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new FaultProblem('', 'the body is not JSON', [])
  }
}

function problem(status: number, message: string, allowed: readonly string[] = []): BodyReply {
  return json(status, { error: { field: '', message, allowed } })
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
