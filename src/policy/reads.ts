import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'

/**
 * What the loaded policies can read beyond caller, resource and request: decisions are cached by exactly that.
 * `minute`: some policy compares the moment itself, so a decision holds until the minute ends.
 */
export interface Reads {
  readonly time: 'never' | 'hour' | 'minute'
  readonly budget: boolean
}

/** Looks through the expressions of policies (Cedar's JSON form) for the attributes that change by themselves. */
export function readsOf(policies: readonly PolicyJson[]): Reads {
  let time: Reads['time'] = 'never'
  let budget = false
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if (isContext(node)) {
      // The context as a whole: everything in it may be read.
      time = 'minute'
      budget = true
      return
    }
    const access = accessOf(node)
    if (access?.attr === 'budget') budget = true
    else if (access?.attr === 'time') time = 'minute'
    if (access?.attr === 'time' || access?.attr === 'budget') return
    if (access !== undefined && accessOf(access.left)?.attr === 'time' && isContext(accessOf(access.left)?.left)) {
      if (access.attr === 'now') time = 'minute'
      else if (time === 'never') time = 'hour'
      return
    }
    if (access !== undefined && isContext(access.left)) return
    for (const value of Object.values(node)) visit(value)
  }
  for (const { conditions } of policies) for (const { body } of conditions) visit(body)
  return { time, budget }
}

interface Access {
  readonly left: unknown
  readonly attr: string
}

/** `left.attr`, the only way to an attribute of the context (`has` needs a name that the schema makes optional; none is). */
function accessOf(node: unknown): Access | undefined {
  const access = typeof node === 'object' && node !== null && '.' in node ? node['.'] : undefined
  if (typeof access !== 'object' || access === null || !('left' in access) || !('attr' in access)) return undefined
  return typeof access.attr === 'string' ? { left: access.left, attr: access.attr } : undefined
}

function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Var' in node && node.Var === 'context'
}
