import { join } from 'node:path'
import { stringify } from 'yaml'
import { openWitnessKey } from '#dataplane/witness/witness-key.ts'
import { trailPaths } from '#record/signed.ts'
import { openTrailKey } from '#record/trail-key.ts'
import type { SimCloudsSettings } from '#simclouds/options.ts'
import { formatVkey } from '#tlog/key.ts'
import { defaultWitnessName } from './data-plane.ts'

/** What `up` finds or makes before it writes the configuration of the local deployment. */
export interface LocalSetup {
  readonly port: number
  readonly policies: string
  readonly docs: string
  readonly urls: Readonly<Record<string, string>>
  readonly settings: SimCloudsSettings
  readonly dataPort: number
  /** Passages for `assistant`, where the default is too much for the model. */
  readonly topK: number | undefined
  /** Verifier keys of the audit log and of the agent's witness, which cosigns it; undefined without a witness. */
  readonly keys: { readonly log: string; readonly witness: string } | undefined
  /** A real model server, first in both aliases. */
  readonly upstream: { readonly name: string; readonly endpoint: string; readonly model: string } | undefined
}

/** Environment of the control plane: the simulated clouds' credentials, by reference as everywhere. */
export function localEnvironment({
  entra,
  contentSafety,
  bedrock,
  cloudRun,
  anthropic,
  vertex,
}: SimCloudsSettings): Record<string, string> {
  return {
    THINPLANE_SIM_CONTENT_SAFETY_KEY: contentSafety.key,
    THINPLANE_SIM_ENTRA_SECRET: entra.clients.find(({ clientId }) => clientId === entra.audience)?.secret ?? '',
    THINPLANE_SIM_AWS_ACCESS_KEY_ID: bedrock.accessKeyId,
    THINPLANE_SIM_AWS_SECRET_ACCESS_KEY: bedrock.secretAccessKey,
    THINPLANE_SIM_ANTHROPIC_KEY: anthropic.apiKey,
    THINPLANE_SIM_VERTEX_TOKEN: vertex.token,
    ...(cloudRun.bearer === undefined ? {} : { THINPLANE_SIM_CLOUD_RUN_TOKEN: cloudRun.bearer }),
  }
}

/** The configuration that `up` runs, as YAML: a real one, which `thinplane check` accepts and a reader can start from. */
export function localConfig(setup: LocalSetup): string {
  const { settings, urls, upstream } = setup
  const { places } = settings
  const targets = {
    ...(upstream === undefined
      ? {}
      : {
          [upstream.name]: {
            provider: 'openai-compatible',
            place: { cloud: 'local', region: 'local' },
            endpoint: upstream.endpoint,
            model: upstream.model,
          },
        }),
    'vllm-us-east4': {
      provider: 'openai-compatible',
      place: places['cloud-run'],
      endpoint: urls['cloud-run'],
      model: settings.cloudRun.models[0],
      ...cloudRunCredential(settings),
      price: {
        input: 0.22,
        output: 0.22,
        source: 'Llama 3.1 8B on Bedrock, models.dev 2026-11-10, as a stand-in for a shared L4',
      },
      simulated: true,
    },
    'bedrock-us-east-1': {
      provider: 'bedrock',
      place: places.bedrock,
      endpoint: urls['bedrock'],
      model: 'anthropic.claude-haiku-4-5-20251001-v1:0',
      credential: {
        kind: 'aws-sigv4',
        region: settings.bedrock.region,
        accessKeyId: { env: 'THINPLANE_SIM_AWS_ACCESS_KEY_ID' },
        secretAccessKey: { env: 'THINPLANE_SIM_AWS_SECRET_ACCESS_KEY' },
      },
      price: { input: 1, cachedInput: 0.1, output: 5, source: 'Claude Haiku 4.5 on Bedrock, models.dev 2026-11-10' },
      simulated: true,
    },
  }
  const names = Object.keys(targets)
  const embeddings = {
    provider: 'openai-compatible',
    place: places['cloud-run'],
    endpoint: urls['cloud-run'],
    model: settings.cloudRun.embeddingModel,
    ...cloudRunCredential(settings),
    simulated: true,
  }
  const models = modelTargets(setup)
  const config = {
    listen: { port: setup.port },
    data: '.',
    identity: {
      signIn: {
        issuer: `${urls['entra']}/${settings.entra.tenants[0]}/v2.0`,
        clientId: settings.entra.audience,
        secret: { env: 'THINPLANE_SIM_ENTRA_SECRET' },
        place: places.entra,
      },
      issuers: [
        {
          kind: 'entra',
          name: 'simulated-entra',
          authority: urls['entra'],
          v1Host: urls['entra'],
          tenants: settings.entra.tenants,
          audiences: [settings.entra.audience, settings.entra.appIdUri],
          graph: {
            endpoint: urls['graph'],
            clientId: settings.entra.audience,
            secret: { env: 'THINPLANE_SIM_ENTRA_SECRET' },
          },
        },
      ],
    },
    policies: { folder: setup.policies },
    guard: {
      contentSafety: {
        endpoint: urls['content-safety'],
        place: places['content-safety'],
        credential: {
          kind: 'header',
          header: 'ocp-apim-subscription-key',
          prefix: '',
          secret: { env: 'THINPLANE_SIM_CONTENT_SAFETY_KEY' },
        },
      },
    },
    context: { endpoint: `http://127.0.0.1:${setup.dataPort}` },
    targets: { ...targets, 'embeddings-us-east4': embeddings, ...models },
    aliases: {
      chat: { targets: names },
      embeddings: { targets: ['embeddings-us-east4'] },
      assistant: { targets: names, collections: ['docs'], ...(setup.topK === undefined ? {} : { topK: setup.topK }) },
      claude: { targets: ['claude-anthropic', 'claude-us-east5', 'bedrock-us-east-1'] },
      gemini: { targets: ['gemini-us-east5'] },
      'gemini-embeddings': { targets: ['embedding-us-east5'] },
    },
    ...(setup.keys === undefined
      ? {}
      : {
          audit: {
            witnesses: [{ url: `http://127.0.0.1:${setup.dataPort}/witness`, key: setup.keys.witness }],
            quorum: 1,
          },
        }),
    dataPlane: {
      port: setup.dataPort,
      jwksUrl: `http://127.0.0.1:${setup.port}/.well-known/jwks.json`,
      data: 'data-plane',
      // A new version may bring another embedding model: the documents are at hand.
      index: { rebuild: true },
      ...(setup.keys === undefined ? {} : { witness: { logs: [setup.keys.log] } }),
      collections: { docs: { title: 'Documents', folder: setup.docs } },
    },
  }
  return `# Written by \`thinplane up\` at every start: copy it before you change it.\n${stringify(config)}`
}

function cloudRunCredential({ cloudRun }: SimCloudsSettings): object {
  return cloudRun.bearer === undefined
    ? {}
    : { credential: { kind: 'header', secret: { env: 'THINPLANE_SIM_CLOUD_RUN_TOKEN' } } }
}

/** Claude at Anthropic and on Vertex, Gemini and embeddings on Vertex: each in its own wire format. */
function modelTargets({ settings, urls }: LocalSetup): object {
  const { places, vertex } = settings
  const onVertex = {
    place: places.vertex,
    endpoint: `${urls['vertex']}/v1/projects/${vertex.project}/locations/${places.vertex.region}`,
    credential: { kind: 'header', secret: { env: 'THINPLANE_SIM_VERTEX_TOKEN' } },
    simulated: true,
  }
  return {
    'claude-anthropic': {
      provider: 'anthropic',
      place: places.anthropic,
      endpoint: urls['anthropic'],
      model: 'claude-haiku-4-5-20251001',
      credential: { kind: 'header', header: 'x-api-key', prefix: '', secret: { env: 'THINPLANE_SIM_ANTHROPIC_KEY' } },
      simulated: true,
    },
    'claude-us-east5': { provider: 'vertex-claude', model: 'claude-haiku-4-5@20251001', ...onVertex },
    'gemini-us-east5': { provider: 'vertex-gemini', model: 'gemini-3-flash-preview', ...onVertex },
    'embedding-us-east5': { provider: 'vertex-gemini', model: 'text-embedding-005', ...onVertex },
  }
}

/** Names that the local configuration leaves at their defaults. */
const CONTROL_NAME = 'thinplane-control'
const AGENT_NAME = 'thinplane-data'

/** Makes the keys of log and witness where they are not yet, so that each can be told the other's before both start. */
export async function localKeys(dataFolder: string): Promise<LocalSetup['keys']> {
  const log = await openTrailKey(trailPaths(dataFolder).key, CONTROL_NAME)
  const witness = await openWitnessKey(join(dataFolder, 'data-plane'), defaultWitnessName(AGENT_NAME))
  return { log: formatVkey(log.signer.key), witness: formatVkey(witness.key) }
}
