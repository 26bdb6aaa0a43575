/** OpenAPI 3.1 description of the admin API: what the status page and the command line use. */
export function openApi(): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Thinplane admin API', version: '1' },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A key or an access token.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'tp_session',
          description: 'A browser that has signed in; changes need the header `x-thinplane-csrf` from GET /auth/me.',
        },
      },
    },
    paths: {
      '/admin/v1/status': {
        get: operation('What runs: targets with their state, aliases, policies, the audit trail.'),
      },
      '/admin/v1/requests': {
        get: operation('The latest audit entries of this process, newest first.', [
          { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 } },
        ]),
      },
      '/admin/v1/requests/{id}': { get: operation('One audit entry.', [ID]) },
      '/admin/v1/targets': {
        get: operation('What is known of each target, and what the router would do now for each alias, and why.'),
      },
      '/admin/v1/targets/{id}/warm': {
        post: operation('Wakes a target that sleeps, and keeps it awake for a while.', [ID], {
          type: 'object',
          additionalProperties: false,
          properties: { minutes: { type: 'integer', minimum: 0, maximum: 1440, default: 15 } },
        }),
      },
      '/admin/v1/collections': {
        get: operation('What the data plane holds and how far its ingests are: collections, queries, tables.'),
      },
      '/admin/v1/keys': {
        get: operation('Keys of applications, without their secrets.'),
        post: operation('Creates a key; the answer holds its secret, this once.', [], NEW_KEY, '201'),
      },
      '/admin/v1/keys/{id}': { delete: operation('Revokes a key at once.', [ID]) },
      '/admin/v1/keys/{id}/rotate': {
        post: operation('Gives a key a new secret; the old one stays good for the time of grace.', [ID], {
          type: 'object',
          additionalProperties: false,
          properties: { graceHours: { type: 'number', minimum: 0, maximum: 720, default: 24 } },
        }),
      },
      '/admin/v1/limits': {
        get: operation('What was used of each limit and what is held of it here, and how the store does.', [
          { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 } },
        ]),
      },
      '/admin/v1/limits/reclaim': {
        post: operation('Gives back what gateways hold that have vanished for good.'),
      },
      '/admin/v1/denied': {
        get: operation('The deny list.'),
        post: operation('Turns a person, an application, a token or a key away at once.', [], NEW_DENIAL, '201'),
      },
      '/admin/v1/denied/{id}': { delete: operation('Takes an entry off the deny list.', [ID]) },
    },
  }
}

const ID = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }
const TEXT = { type: 'string' }
const NAMES = { type: 'array', items: TEXT }

const NEW_KEY = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: TEXT,
    owner: TEXT,
    roles: { ...NAMES, default: ['developer'] },
    tenant: { ...TEXT, default: 'local' },
    subject: { ...TEXT, description: 'Whom policy and trail see. Default: the name.' },
    aliases: { ...NAMES, description: 'Model aliases that it may use. Default: all that policy permits.' },
    collections: { ...NAMES, description: 'Collections that it may ground on. Default: all that policy permits.' },
    expiresInDays: { type: 'number', exclusiveMinimum: 0, maximum: 3650 },
    note: TEXT,
  },
}

const NEW_DENIAL = {
  type: 'object',
  additionalProperties: false,
  description: 'One of `uti`, `oid` and `key`; `tid` narrows `oid`.',
  properties: { uti: TEXT, oid: TEXT, tid: TEXT, key: TEXT, reason: TEXT },
}

function operation(summary: string, parameters: readonly object[] = [], body?: object, done = '200'): object {
  return {
    summary,
    parameters,
    security: [{ bearer: [] }, { session: [] }],
    ...(body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      [done]: { description: 'ok' },
      '401': { description: 'no or bad credential' },
      '403': { description: 'role missing' },
    },
  }
}
