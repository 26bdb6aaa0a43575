import type { Crossing } from '#contract/crossing.ts'
import type { Entry } from '#contract/entry.ts'

const CONTROL = 'azure:eastus'

function crossing(layer: Crossing['layer'], to: string): Crossing {
  return {
    layer,
    spanId: '00f067aa0ba902b7',
    from: CONTROL,
    to,
    host: 'host.example',
    status: 200,
    bytesOut: 1400,
    bytesIn: 6200,
    firstByteMs: 9.5,
    ms: 14.25,
    egressMicroUsd: 28.5,
    error: 'timeout-idle',
    atEpochMs: 1_795_564_800_000,
  }
}

/** An entry in which every optional part is there, so that everything made from entries shows all that it can hold. */
export const SAMPLE_ENTRY: Entry = {
  id: 'req-0193a5b8c0000123456789abcdef',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  atEpochMs: 1_795_564_800_000,
  ms: 1120.5,
  limits: {
    reserved: { microUsd: 1200, requests: 1, tokens: 1060 },
    rules: ['per-caller'],
    settled: { microUsd: 300, requests: 1, tokens: 220 },
  },
  images: { bytesIn: 3_145_728, bytesOut: 204_800, count: 1, shrunk: 1 },
  firstContentMs: 218.25,
  outcome: 'failed',
  status: 502,
  code: 'INFER_CUT',
  dialect: 'openai-chat',
  stream: true,
  alias: 'assistant',
  principal: {
    subject: 'ada',
    tenant: 'local',
    kind: 'key',
    roles: ['developer'],
    groups: [],
    groupCount: 0,
    agent: undefined,
    via: 'key',
    client: '',
    credentialId: '0123456789ab',
  },
  peer: '127.0.0.1',
  policy: {
    policies: ['developers-use-models'],
    guardProfile: 'balanced',
    forbidden: [],
    collections: ['docs'],
    purpose: 'support',
    jurisdictions: undefined,
    retentionDays: undefined,
    logging: 'standard',
  },
  digests: { prompt: '', answer: '' },
  findings: [{ type: 'EMAIL_ADDRESS', action: 'redact', count: 2, where: 'prompt' }],
  safety: {
    microUsd: 760,
    mode: 'always',
    over: [],
    problem: '',
    records: 2,
    savedMicroUsd: 380,
    services: ['content-safety'],
    shadow: false,
    verdict: 'pass',
  },
  receipt: { agent: 'thinplane-data', requestId: '', subject: '', tenant: '', reads: [], bytes: 0, atEpochMs: 0 },
  attempts: [
    { error: 'LOST_RACE', lostMicroUsd: 812, ms: 190, target: 'bedrock' },
    { error: '', ms: 40, role: 'hedge', target: 'vllm' },
  ],
  route: {
    kind: 'hedge',
    line: 'ordered: bedrock first, 150 ms $0.0013; then vllm 190 ms $0.00020; hedge after 150 ms',
  },
  target: 'vllm',
  provider: 'openai-compatible',
  model: 'llama',
  usage: { input: 812, cachedRead: 1, cachedWrite: 1, output: 96, reasoning: 1 },
  usageEstimated: false,
  cost: { egressMicroUsd: 28.5, modelMicroUsd: 199.5, savedMicroUsd: 0 },
  crossings: [crossing('data', 'aws:us-east-1')],
  stages: [{ stage: 'identify', place: CONTROL, startMs: 0.125, ms: 0.125 }],
  remote: [{ stage: 'retrieve', place: 'aws:us-east-1', startMs: 3.5, ms: 6.25 }],
  lag: { stage: 'stream', place: 'gcp:us-east4', ms: 900 },
}
