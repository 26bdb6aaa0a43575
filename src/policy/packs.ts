import { fileURLToPath } from 'node:url'
import type { PolicyPack } from '#contract/policy-pack.ts'

/** Where a shipped pack stands in this installation. */
export function packFolder(name: PolicyPack): string {
  return fileURLToPath(new URL(`../../policies/packs/${name}`, import.meta.url))
}
