import type { GroundAsk } from '#contract/ask.ts'
import { fields, list, optionalNumber, optionalText, restOf, text, unsupported, wrong } from './fields.ts'

const KNOWN = new Set(['ground', 'conversation', 'purpose'])
const KNOWN_GROUND = new Set(['collections', 'topK'])

/** The request's own `thinplane` object: `{"ground": {"collections": [...], "topK": 6}, "conversation": "...", "purpose": "..."}`. */
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
      `\`thinplane.ground\` has no field \`${unknown.slice(0, 40)}\`, it knows \`collections\` and \`topK\``,
    )
  return {
    collections: list(ground['collections'], 'thinplane.ground.collections').map((item, at) =>
      text(item, `thinplane.ground.collections[${at}]`),
    ),
    topK: optionalNumber(ground['topK'], 'thinplane.ground.topK', { min: 1, max: 50, whole: true }),
  }
}
