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
  v: 1,
  id: 'req-0193a5b8c0000123456789abcdef',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  atEpochMs: 1_795_564_800_000,
  ms: 1120.5,
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
    via: 'key',
    client: '',
    credentialId: '0123456789ab',
  },
  policy: { policies: ['developers-use-models'], guardProfile: 'balanced', forbidden: [] },
  findings: [{ type: 'EMAIL_ADDRESS', action: 'redact', count: 2, where: 'prompt' }],
  safety: { mode: 'always', verdict: 'pass', over: [] },
  receipt: { agent: 'thinplane-data', requestId: '', subject: '', tenant: '', reads: [], bytes: 0, atEpochMs: 0 },
  attempts: [{ target: 'vllm', error: '', ms: 190 }],
  target: 'vllm',
  usage: { input: 812, cachedRead: 1, cachedWrite: 1, output: 96, reasoning: 1 },
  usageEstimated: false,
  cost: { modelMicroUsd: 199.5, egressMicroUsd: 28.5 },
  crossings: [crossing('data', 'aws:us-east-1')],
  stages: [{ stage: 'identify', place: CONTROL, startMs: 0.125, ms: 0.125 }],
  remote: [{ stage: 'retrieve', place: 'aws:us-east-1', startMs: 3.5, ms: 6.25 }],
  lag: { stage: 'stream', place: 'gcp:us-east4', ms: 900 },
}
