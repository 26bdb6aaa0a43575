import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '#kit/json.ts'
import type { AwsSessions } from './aws-sessions.ts'
import { checkSignature, type SignatureProblem } from './aws-signature.ts'
import type { BodyReply, SimRequest } from './service.ts'

/** Whose requests a service of the account takes. */
export interface AwsAccount {
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Sessions that are accepted beside the key; those of the simulated STS. */
  readonly sessions?: AwsSessions | undefined
}

/** A request that is refused as the service refuses it. */
export class AwsProblem extends Error {
  /** The name of the exception, as clients see it. */
  readonly type: string
  readonly status: number
  /** Further members of the error. */
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    type: string,
    message: string,
    more: { readonly status?: number; readonly members?: object; readonly headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.name = 'AwsProblem'
    this.type = type
    this.status = more.status ?? 400
    this.members = { ...more.members }
    this.headers = more.headers ?? {}
  }
}

/** One operation: it checks its body itself, and throws an AwsProblem or a zod error for one that it does not take. */
export type Operation = (body: unknown, request: SimRequest) => unknown

/** A service that speaks AWS JSON. */
export interface AwsJsonApi {
  /** What `x-amz-target` begins with: `AmazonSQS`. */
  readonly target: string
  readonly version: '1.0' | '1.1'
  readonly signingName: string
  /** By name. */
  readonly operations: Readonly<Record<string, Operation>>
  /** What a body is refused with that misses the service's constraints. */
  readonly invalid: (message: string) => AwsProblem
  /** How a wrong signature is refused. Default: 400, with the name as it is. */
  readonly unauthorized?: (problem: SignatureProblem) => AwsProblem
}

/** Answers one request of an AWS JSON service. */
export async function awsJsonReply(request: SimRequest, api: AwsJsonApi, account: AwsAccount): Promise<BodyReply> {
  try {
    const operation = operationOf(request, api)
    authorize(request, api, account)
    const body = request.text === '' ? {} : parseJson(request.text)
    if (body === undefined) throw new AwsProblem('SerializationException', 'The request body is not JSON')
    const answer = await operation(body, request)
    const type = { 'content-type': `application/x-amz-json-${api.version}`, 'x-amzn-requestid': randomUUID() }
    return { status: 200, headers: type, body: answer === undefined ? '{}' : JSON.stringify(answer) }
  } catch (error) {
    if (error instanceof z.ZodError) return awsJsonError(api.invalid(violation(error)), api.version)
    if (error instanceof AwsProblem) return awsJsonError(error, api.version)
    throw error
  }
}

/** The error in the shape of the protocol. */
export function awsJsonError(
  { type, message, status, members, headers }: AwsProblem,
  version: '1.0' | '1.1',
): BodyReply {
  return {
    status,
    headers: { 'content-type': `application/x-amz-json-${version}`, 'x-amzn-requestid': randomUUID(), ...headers },
    // Services write the text in either case; clients read both.
    body: JSON.stringify({ __type: type, message, Message: message, ...members }),
  }
}

/** A fault that was set, by its status. */
export function awsJsonFault(
  status: number,
  retryAfterS: number | undefined,
  throttled: AwsProblem,
  version: '1.0' | '1.1',
): BodyReply {
  const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }
  const other = new AwsProblem(status < 500 ? 'AccessDeniedException' : 'InternalFailure', 'simulated fault', {
    status,
  })
  const reply = awsJsonError(status === 429 ? throttled : other, version)
  return { ...reply, headers: { ...reply.headers, ...headers } }
}

function operationOf({ method, path, headers }: SimRequest, api: AwsJsonApi): Operation {
  const [target, name = ''] = (headers['x-amz-target'] ?? '').split('.')
  const isKnown = target === api.target && Object.hasOwn(api.operations, name)
  const operation = isKnown ? api.operations[name] : undefined
  const isRight =
    method === 'POST' && path === '/' && headers['content-type'] === `application/x-amz-json-${api.version}`
  if (operation === undefined || !isRight)
    throw new AwsProblem('UnknownOperationException', `There is no operation ${headers['x-amz-target'] ?? ''}`)
  return operation
}

function authorize(request: SimRequest, api: AwsJsonApi, account: AwsAccount): void {
  const problem =
    checkSignature(request, { ...account, service: api.signingName }, Date.now()) ?? restricted(request, account)
  if (problem === undefined) return
  throw api.unauthorized?.(problem) ?? new AwsProblem(problem.type, problem.message)
}

function restricted(request: SimRequest, { sessions }: AwsAccount): SignatureProblem | undefined {
  const accessKeyId = /Credential=([^/]+)/.exec(request.headers['authorization'] ?? '')?.[1] ?? ''
  return sessions?.find(accessKeyId)?.isRestricted === true
    ? { type: 'AccessDeniedException', message: 'no session policy allows the action' }
    : undefined
}

function violation({ issues }: z.ZodError): string {
  const [issue] = issues
  const path = issue?.path.join('.') ?? ''
  return `1 validation error detected: Value at '${path}' failed to satisfy constraint: ${issue?.message ?? 'not valid'}`
}
