import { stringify } from 'yaml'
import type { SimCloudsSettings } from '#simclouds/options.ts'

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
  /** A real model server, first in both aliases. */
  readonly upstream: { readonly name: string; readonly endpoint: string; readonly model: string } | undefined
}

/** Environment of the control plane: the simulated clouds' credentials, by reference as everywhere. */
export function localEnvironment({
  entra,
  contentSafety,
  bedrock,
  cloudRun,
}: SimCloudsSettings): Record<string, string> {
  return {
    THINPLANE_SIM_CONTENT_SAFETY_KEY: contentSafety.key,
    THINPLANE_SIM_ENTRA_SECRET: entra.clients.find(({ clientId }) => clientId === entra.audience)?.secret ?? '',
    THINPLANE_SIM_AWS_ACCESS_KEY_ID: bedrock.accessKeyId,
    THINPLANE_SIM_AWS_SECRET_ACCESS_KEY: bedrock.secretAccessKey,
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
      ...(settings.cloudRun.bearer === undefined
        ? {}
        : { credential: { kind: 'header', secret: { env: 'THINPLANE_SIM_CLOUD_RUN_TOKEN' } } }),
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
    policies: setup.policies,
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
    targets,
    aliases: {
      chat: { targets: names },
      assistant: { targets: names, collections: ['docs'], ...(setup.topK === undefined ? {} : { topK: setup.topK }) },
    },
    dataPlane: {
      port: setup.dataPort,
      jwksUrl: `http://127.0.0.1:${setup.port}/.well-known/jwks.json`,
      data: 'data-plane',
      collections: { docs: { title: 'Documents', folder: setup.docs } },
    },
  }
  return `# Written by \`thinplane up\` at every start: copy it before you change it.\n${stringify(config)}`
}
