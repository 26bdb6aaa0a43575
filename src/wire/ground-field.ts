import type { GroundAsk } from '#contract/ask.ts'
import { fields, list, optionalNumber, optionalText, restOf, text, unsupported } from './fields.ts'

const KNOWN = new Set(['ground', 'conversation'])
const KNOWN_GROUND = new Set(['collections', 'topK'])

/** The request's own `thinplane` object: `{"ground": {"collections": [...], "topK": 6}, "conversation": "..."}`. */
export function thinplaneField(value: unknown): {
  readonly ground: GroundAsk | undefined
  readonly conversation: string | undefined
} {
  if (value === undefined || value === null) return { ground: undefined, conversation: undefined }
  const own = fields(value, 'thinplane')
  const [unknown] = Object.keys(restOf(own, KNOWN))
  if (unknown !== undefined)
    throw unsupported(
      `thinplane.${unknown}`,
      `\`thinplane\` has no field \`${unknown.slice(0, 40)}\`, it knows \`ground\` and \`conversation\``,
    )
  return {
    ground: groundField(own['ground']),
    conversation: optionalText(own['conversation'], 'thinplane.conversation'),
  }
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
