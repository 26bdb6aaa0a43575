/** Policy packs that come with the product: one folder each under policies/packs. */
export const POLICY_PACKS = ['eu-residency', 'hipaa', 'pci-dss', 'internal-only'] as const
export type PolicyPack = (typeof POLICY_PACKS)[number]
