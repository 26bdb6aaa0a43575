/** OpenAPI 3.1 description of the admin API: what the status page and the command line use. */
export function openApi(): object {
  const get = (summary: string, parameters: readonly object[] = []) => ({
    get: {
      summary,
      parameters,
      security: [{ bearer: [] }],
      responses: {
        '200': { description: 'ok' },
        '401': { description: 'no or bad credential' },
        '403': { description: 'role missing' },
      },
    },
  })
  return {
    openapi: '3.1.0',
    info: { title: 'Thinplane admin API', version: '1' },
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths: {
      '/admin/v1/status': get('What runs: targets with their state, aliases, policies, the audit trail.'),
      '/admin/v1/requests': get('The latest audit entries of this process, newest first.', [
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 } },
      ]),
      '/admin/v1/requests/{id}': get('One audit entry.', [
        { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
      ]),
    },
  }
}
