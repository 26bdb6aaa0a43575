import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type Credential, type Cross, CrossFault, type TokenSource } from '#contract/crossing.ts'
import type { Place } from '#contract/place.ts'
import type { Config, CredentialConfig } from '#config/schema.ts'
import { type CredentialTarget, type SecretLookUp, credentialPlace, resolveCredential } from '#config/secrets.ts'
import { CredentialFault } from '#credentials/credential-fault.ts'
import type { KeylessSources } from '#bin/token-sources.ts'
import { ownTrip } from '#bin/own-trip.ts'
import { type TokenFacts, factsOf } from './facts.ts'
import { connectMend, credentialMend, resolveMend } from './mend.ts'
import { type Reached, reach } from './reach.ts'

/** One step of a chain. */
export interface Step {
  readonly step: string
  readonly status: 'ok' | 'failed' | 'skipped'
  readonly detail: string
  /** What to change, the statement to add among it, line by line; empty unless it failed. */
  readonly mend: readonly string[]
}

/** Everything between this process and one endpoint. */
export interface Chain {
  readonly name: string
  readonly endpoint: string
  readonly steps: readonly Step[]
}

/** What is called, as the configuration has it. */
export interface Subject {
  /** Path in the configuration: `targets.llama`. */
  readonly name: string
  readonly place: Place
  readonly endpoint: string
  readonly credential: CredentialConfig
  /** Undefined where it is no target: then the last step is left out. */
  readonly target: CredentialTarget | undefined
}

export interface WalkDeps {
  readonly cross: Cross
  readonly lookUp: SecretLookUp
  readonly tokenSources: KeylessSources
}

/** What is walked: every target, then the data plane and the managed checks. */
export function subjectsOf({ targets, context, guard }: Config): Subject[] {
  const others: readonly (readonly [name: string, service: Omit<Subject, 'name' | 'target'> | undefined])[] = [
    ['context', context],
    ['guard.contentSafety', guard.contentSafety],
    ['guard.language', guard.language],
    ['guard.bedrockChecks', guard.bedrockChecks],
    ['guard.bedrockGuardrail', guard.bedrockGuardrail],
  ]
  return [
    ...Object.entries(targets).map(([name, { place, endpoint, credential, provider, model }]) => ({
      name: `targets.${name}`,
      place,
      endpoint,
      credential,
      target: { name, provider, endpoint, model },
    })),
    ...others.flatMap(([name, service]) => {
      if (service === undefined) return []
      const { place, endpoint, credential } = service
      return [{ name, place, endpoint, credential, target: undefined }]
    }),
  ]
}

/** Walks one chain, step by step. The steps of the network and those of the credential do not depend on each other. */
export async function walk(subject: Subject, deps: WalkDeps): Promise<Chain> {
  const network = [await resolveStep(subject)]
  network.push(isBroken(network) ? skipped('connect') : await connectStep(subject, deps.cross))
  const { steps, credential, facts } = await credentialSteps(subject, deps)
  const last: Step[] = []
  if (subject.target !== undefined) {
    last.push(
      credential === undefined || isBroken([...network, ...steps])
        ? skipped('reach')
        : reachedStep(await reach(subject, subject.target, credential, deps.cross, facts)),
    )
  }
  return { name: subject.name, endpoint: subject.endpoint, steps: [...network, ...steps, ...last] }
}

function isBroken(steps: readonly Step[]): boolean {
  return steps.some(({ status }) => status === 'failed')
}

function skipped(step: string, detail = 'a step before it has failed'): Step {
  return { step, status: 'skipped', detail, mend: [] }
}

async function resolveStep({ endpoint }: Subject): Promise<Step> {
  const host = new URL(endpoint).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return { step: 'resolve', status: 'ok', detail: `${host} is an address`, mend: [] }
  try {
    const { address } = await lookup(host)
    return { step: 'resolve', status: 'ok', detail: `${host} is ${address}`, mend: [] }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    return { step: 'resolve', status: 'failed', detail: `no address for ${host} (${code})`, mend: resolveMend(host) }
  }
}

/** Any answer will do, also a refusal: nothing is proven to be us yet. */
async function connectStep({ endpoint, place }: Subject, cross: Cross): Promise<Step> {
  const isTls = endpoint.startsWith('https:')
  const started = performance.now()
  const connected = (note: string): Step => ({
    step: 'connect',
    status: 'ok',
    detail: `${isTls ? 'TLS' : 'without TLS'}, ${Math.round(performance.now() - started)} ms${note}`,
    mend: [],
  })
  try {
    const answer = await cross(ownTrip(), {
      layer: 'identity',
      to: place,
      method: 'GET',
      url: endpoint,
      headers: {},
      credential: { kind: 'none' },
      connectMs: 3000,
      firstByteMs: 5000,
      idleMs: 5000,
      totalMs: 8000,
      maxAnswerBytes: 1_048_576,
    })
    answer.cancel()
    return connected('')
  } catch (error) {
    if (!(error instanceof CrossFault)) throw error
    if (error.kind === 'timeout-first-byte') return connected(', no answer yet: it may be cold')
    return { step: 'connect', status: 'failed', detail: error.message, mend: connectMend(endpoint, error.message) }
  }
}

interface CredentialSteps {
  readonly steps: readonly Step[]
  /** Undefined when there is none to call with. */
  readonly credential: Credential | undefined
  readonly facts: TokenFacts
}

const NO_FACTS: TokenFacts = { issuer: undefined, audience: undefined, subject: undefined }

async function credentialSteps(subject: Subject, deps: WalkDeps): Promise<CredentialSteps> {
  const { credential: config, target } = subject
  const path = `${subject.name}.credential`
  const problems: SecretLookUp['problems'] = []
  const lookUp = { ...deps.lookUp, problems }
  const credential = resolveCredential(config, path, { ...lookUp, tokenSources: deps.tokenSources }, target)
  const all = [...problems, ...deps.lookUp.problems.filter((problem) => problem.path.startsWith(path))]
  if (all.length > 0) {
    const mend = all.map((problem) => `${problem.path}: ${problem.message}`)
    const step: Step = { step: 'credential', status: 'failed', detail: 'the configuration lacks something', mend }
    return { steps: [step], credential: undefined, facts: NO_FACTS }
  }
  if (config.kind === 'entra-obo') {
    const why = 'it acts on behalf of whoever asks, and nobody is asking'
    return { steps: [skipped('azure token', why)], credential: undefined, facts: NO_FACTS }
  }
  if (credential.kind !== 'token' && credential.kind !== 'aws-session') {
    const detail =
      config.kind === 'none' ? 'none is configured' : 'a stored secret; docs/keyless.md says how to do without'
    return { steps: [{ step: 'credential', status: 'ok', detail, mend: [] }], credential, facts: NO_FACTS }
  }
  const walked = await issuedSteps(subject, credential, { ...deps, lookUp })
  return { ...walked, credential }
}

/** From the Azure token on, one step for each exchange; each takes up the token that the step before has got. */
async function issuedSteps(
  subject: Subject,
  credential: Extract<Credential, { kind: 'token' | 'aws-session' }>,
  { tokenSources, lookUp }: WalkDeps,
): Promise<{ readonly steps: readonly Step[]; readonly facts: TokenFacts }> {
  const { credential: config, target } = subject
  const path = `${subject.name}.credential`
  let facts = NO_FACTS
  const steps: Step[] = []
  const attempt = async (step: string, get: () => Promise<string>): Promise<void> => {
    if (isBroken(steps)) {
      steps.push(skipped(step))
      return
    }
    try {
      steps.push({ step, status: 'ok', detail: await get(), mend: [] })
    } catch (error) {
      if (!(error instanceof CrossFault)) throw error
      const detail = error.message.replace(/^no token for the call: /, '')
      const mend = error instanceof CredentialFault ? credentialMend(error, subject, facts) : []
      steps.push({ step, status: 'failed', detail, mend })
    }
  }
  const azure = azureSource(subject, { tokenSources, lookUp })
  await attempt('azure token', async () => {
    facts = factsOf((await (azure ?? sourceOf(credential)).token(ownTrip())).reveal())
    return `audience \`${facts.audience ?? 'unknown'}\`, subject \`${facts.subject ?? 'unknown'}\``
  })
  if (config.kind === 'aws-web-identity' && credential.kind === 'aws-session') {
    await attempt('aws session', async () => {
      await credential.source.session(ownTrip())
      return `role \`${config.roleArn}\``
    })
  }
  if (config.kind === 'google-id-token' || config.kind === 'google-access-token') {
    const at = credentialPlace(config, path, lookUp, target)
    await attempt('google exchange', async () => {
      await tokenSources.federated(config, at).token(ownTrip())
      return `provider \`${config.provider}\``
    })
    if (config.serviceAccount !== undefined) {
      await attempt('service account', async () => {
        await sourceOf(credential).token(ownTrip())
        return `\`${config.serviceAccount}\``
      })
    }
  }
  return { steps, facts }
}

/** The source of the Azure token behind an exchange; undefined where the credential is itself that token. */
function azureSource(
  { credential, name, target }: Subject,
  { tokenSources, lookUp }: Pick<WalkDeps, 'tokenSources' | 'lookUp'>,
): TokenSource | undefined {
  if (!('identity' in credential)) return undefined
  const path = `${name}.credential`
  const { secret } = credentialPlace(credential, path, lookUp, target)
  return tokenSources.identity(credential.identity, secret, `${path}.identity`)
}

function sourceOf(credential: Extract<Credential, { kind: 'token' | 'aws-session' }>): TokenSource {
  return credential.kind === 'token'
    ? credential.source
    : { token: async (trip) => (await credential.source.session(trip)).sessionToken }
}

function reachedStep({ isFine, detail, mend }: Reached): Step {
  return { step: 'reach', status: isFine ? 'ok' : 'failed', detail, mend }
}
