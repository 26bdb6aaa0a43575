import { fileURLToPath } from 'node:url'

/** Policy packs that come with the product: one folder each under policies/packs. */
export const PACKS = ['eu-residency', 'hipaa', 'pci-dss', 'internal-only'] as const

/** Where a shipped pack stands in this installation. */
export function packFolder(name: (typeof PACKS)[number]): string {
  return fileURLToPath(new URL(`../../policies/packs/${name}`, import.meta.url))
}
