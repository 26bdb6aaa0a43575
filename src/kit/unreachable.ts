/** Ends a switch over a union: a new member stops compiling here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${String(value)}`)
}
