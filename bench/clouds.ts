import { startSimClouds } from '#simclouds/start.ts'

/** The simulated Entra and Content Safety in a process of their own, without latency, and one token of a developer. */
const clouds = await startSimClouds({ latencyScale: 0, logSize: 1 })
const token = await clouds.mintToken({ roles: ['developer'], lifetimeS: 36_000 })
const { entra, contentSafety } = clouds.settings
const facts = {
  token,
  entraUrl: clouds.urls.entra,
  tenant: entra.tenants[0],
  audience: entra.audience,
  contentSafetyUrl: clouds.urls['content-safety'],
  contentSafetyKey: contentSafety.key,
}
process.stdout.write(`clouds: ${JSON.stringify(facts)}\n`)
