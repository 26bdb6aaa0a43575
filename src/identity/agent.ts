import type { JWTPayload } from 'jose'
import type { Agent } from '#contract/principal.ts'
import { textOf } from './claims.ts'

/** A code is a small number; a token may not put more than this into the trail. */
const MAX_CODES = 16
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What Entra says of an agent identity; undefined when the token is of none. */
export function agentOf(claims: JWTPayload): Agent | undefined {
  const names = ['xms_act_fct', 'xms_sub_fct', 'xms_tnt_fct', 'xms_par_app_azp', 'xms_idrel']
  if (names.every((name) => claims[name] === undefined)) return undefined
  const blueprint = textOf(claims['xms_par_app_azp']) ?? ''
  return Object.freeze({
    actor: codes(claims['xms_act_fct']),
    subject: codes(claims['xms_sub_fct']),
    tenant: codes(claims['xms_tnt_fct']),
    blueprint: GUID.test(blueprint) ? blueprint.toLowerCase() : '',
    relation: codes(claims['xms_idrel']),
  })
}

/** Codes come as one text with blanks between them. */
function codes(value: unknown): readonly string[] {
  const found = (textOf(value) ?? '').split(' ').filter((code) => /^\d{1,6}$/.test(code))
  return Object.freeze(found.slice(0, MAX_CODES).toSorted((a, b) => Number(a) - Number(b)))
}
