import type { GroundAsk } from '#contract/ask.ts'
import { fields, list, optionalNumber, optionalText, restOf, text, unsupported, wrong } from './fields.ts'

const KNOWN = new Set(['ground', 'conversation', 'purpose'])
const KNOWN_GROUND = new Set(['collections', 'topK', 'sql', 'items'])
/** As many as one call of the data plane takes. */
const MAX_SQL = 8
const MAX_ITEMS = 100

/** The request's own `thinplane` object: `{"ground": {"collections": [...], "topK": 6, "sql": [{"name": "...", "params": {...}}], "items": [{"table": "...", "key": {...}}]}, "conversation": "...", "purpose": "..."}`. */
export function thinplaneField(value: unknown): {
  readonly ground: GroundAsk | undefined
  readonly conversation: string | undefined
  readonly purpose: string | undefined
} {
  if (value === undefined || value === null) return NOTHING_ASKED
  const own = fields(value, 'thinplane')
  const [unknown] = Object.keys(restOf(own, KNOWN))
  if (unknown !== undefined)
    throw unsupported(
      `thinplane.${unknown}`,
      `\`thinplane\` has no field \`${unknown.slice(0, 40)}\`, it knows \`ground\`, \`conversation\` and \`purpose\``,
    )
  return {
    ground: groundField(own['ground']),
    conversation: optionalText(own['conversation'], 'thinplane.conversation'),
    purpose: purposeField(own['purpose']),
  }
}

const NOTHING_ASKED = { ground: undefined, conversation: undefined, purpose: undefined }

/** A word that policies compare, not prose: it stands in the audit entry as it is. */
function purposeField(value: unknown): string | undefined {
  const purpose = optionalText(value, 'thinplane.purpose')
  if (purpose !== undefined && !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(purpose)) {
    throw wrong('thinplane.purpose', 'one word of lower-case letters, digits, `.`, `_` and `-`, at most 64')
  }
  return purpose
}

function groundField(value: unknown): GroundAsk | undefined {
  if (value === undefined || value === null) return undefined
  const ground = fields(value, 'thinplane.ground')
  const [unknown] = Object.keys(restOf(ground, KNOWN_GROUND))
  if (unknown !== undefined)
    throw unsupported(
      `thinplane.ground.${unknown}`,
      `\`thinplane.ground\` has no field \`${unknown.slice(0, 40)}\`, it knows \`collections\`, \`topK\`, \`sql\` and \`items\``,
    )
  const sql = lookups(ground['sql'], { field: 'sql', named: 'name', values: 'params', max: MAX_SQL })
  const items = lookups(ground['items'], { field: 'items', named: 'table', values: 'key', max: MAX_ITEMS })
  const isLookup = sql.length + items.length > 0
  const collections = isLookup && ground['collections'] === undefined ? [] : ground['collections']
  return {
    collections: [
      ...list(collections, 'thinplane.ground.collections').map((item, at) =>
        text(item, `thinplane.ground.collections[${at}]`),
      ),
      ...sql.map(({ name }) => `sql:${name}`),
      ...new Set(items.map(({ name }) => `items:${name}`)),
    ],
    sql: sql.map(({ name, values }) => ({ name, params: values })),
    items: items.map(({ name, values }) => ({ table: name, key: values })),
    topK: optionalNumber(ground['topK'], 'thinplane.ground.topK', { min: 1, max: 50, whole: true }),
  }
}

interface LookupField {
  readonly field: string
  /** Field with the name of what is looked up, and the one with the values it is looked up by. */
  readonly named: string
  readonly values: string
  readonly max: number
}

/** A list of `{name, params}` or `{table, key}`; what the values mean is the data plane's to say. */
function lookups(value: unknown, { field, named, values, max }: LookupField) {
  if (value === undefined || value === null) return []
  const path = `thinplane.ground.${field}`
  const entries = list(value, path)
  if (entries.length > max) throw wrong(path, `a list of at most ${max}`)
  return entries.map((entry, at) => {
    const own = fields(entry, `${path}[${at}]`)
    const [unknown] = Object.keys(restOf(own, new Set([named, values])))
    if (unknown !== undefined)
      throw unsupported(
        `${path}[${at}].${unknown}`,
        `\`${path}[${at}]\` has no field \`${unknown.slice(0, 40)}\`, it knows \`${named}\` and \`${values}\``,
      )
    const given = own[values]
    return {
      name: text(own[named], `${path}[${at}].${named}`),
      values: given === undefined ? {} : fields(given, `${path}[${at}].${values}`),
    }
  })
}
