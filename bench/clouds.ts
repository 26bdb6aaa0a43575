import { startSimClouds } from '#simclouds/start.ts'

const TENANTS = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => `11111111-2222-4333-8444-00000000000${number}`)

/** The simulated Entra and Content Safety in a process of their own, without latency, and tokens of developers. */
const clouds = await startSimClouds({ latencyScale: 0, logSize: 1, entra: { tenants: TENANTS } })
const tenants = await Promise.all(
  TENANTS.map(async (tenant) => ({
    tenant,
    token: await clouds.mintToken({ tenant, roles: ['developer'], lifetimeS: 36_000 }),
  })),
)
const [first] = tenants
const { entra, contentSafety } = clouds.settings
const facts = {
  token: first?.token,
  tenants,
  entraUrl: clouds.urls.entra,
  tenant: first?.tenant,
  audience: entra.audience,
  contentSafetyUrl: clouds.urls['content-safety'],
  contentSafetyKey: contentSafety.key,
}
process.stdout.write(`clouds: ${JSON.stringify(facts)}\n`)
