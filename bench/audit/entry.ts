import type { Entry } from '#contract/entry.ts'
import { canonicalJson } from '#kit/canonical-json.ts'
import { requestEvent } from '#record/ocsf.ts'

const PLACES = ['azure:eastus', 'aws:us-east-1', 'gcp:us-east4'] as const
const LAYERS = ['safety', 'data', 'inference'] as const
const STAGES = [
  'identify',
  'receive',
  'permit',
  'screen',
  'check',
  'ground',
  'scrub',
  'seal',
  'release',
  'infer',
  'stream',
] as const
const AT_EPOCH_MS = 1_795_564_800_000

/** Request id of the entry at an index. */
export function entryId(index: number): string {
  return `req-0193a5b8c${index.toString(16).padStart(19, '0')}`
}

/** What one grounded request leaves in the trail, about 3.3 KB, different for each index. */
export function entryText(index: number): string {
  return canonicalJson(requestEvent(entryOf(index)))
}

function entryOf(index: number): Entry {
  return {
    id: entryId(index),
    traceId: index.toString(16).padStart(32, '4'),
    atEpochMs: AT_EPOCH_MS + index * 3,
    images: undefined,
    limits: undefined,
    ms: 1120.5 + (index % 1000),
    firstContentMs: 218.25,
    outcome: index % 50 === 0 ? 'blocked' : 'answered',
    status: 200,
    code: '',
    dialect: 'openai-chat',
    stream: true,
    alias: 'assistant',
    peer: '192.0.2.7',
    principal: {
      subject: `cccccccc-0000-4000-8000-${(index % 5000).toString().padStart(12, '0')}`,
      tenant: '11111111-2222-4333-8444-555555555555',
      kind: 'user',
      roles: ['developer', 'hr-reader'],
      groups: [],
      groupCount: 0,
      via: 'entra',
      client: '00000003-0000-0000-c000-000000000000',
      credentialId: index.toString(36),
      agent: undefined,
    },
    policy: {
      collections: ['handbook'],
      forbidden: [],
      guardProfile: 'balanced',
      jurisdictions: undefined,
      logging: 'standard',
      policies: ['developers-use-models', 'hr-grounds', 'text-goes-to-the-targets-of-its-alias'],
      purpose: '',
      retentionDays: undefined,
    },
    digests: {
      answer: (index * 13).toString(16).padStart(64, '0'),
      prompt: (index * 17).toString(16).padStart(64, '0'),
    },
    findings: [{ action: 'redact', count: 1 + (index % 3), type: 'EMAIL_ADDRESS', where: 'prompt' }],
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
    receipt: {
      agent: 'thinplane-data',
      atEpochMs: AT_EPOCH_MS,
      bytes: 6200,
      missing: [],
      reads: Array.from({ length: 4 }, (_, at) => ({
        collection: 'handbook',
        digest: (index * 7 + at).toString(16).padStart(64, '0'),
        document: `people/document-${at}.md`,
      })),
      requestId: `req-${index}`,
      subject: 'ada',
      tenant: 'local',
    },
    attempts: [{ error: '', ms: 190, target: 'vllm-us-east4' }],
    route: {
      kind: 'first',
      line: 'ordered: vllm-us-east4 first, 190 ms $0.00020; then bedrock-us-east-1 310 ms $0.0013',
    },
    target: 'vllm-us-east4',
    provider: 'openai-compatible',
    model: 'llama-3.1-8b',
    usage: { cachedRead: 0, cachedWrite: 0, input: 812, output: 96, reasoning: 0 },
    usageEstimated: false,
    cost: { egressMicroUsd: 28.5, modelMicroUsd: 199.5 },
    crossings: PLACES.map((to, at) => ({
      atEpochMs: AT_EPOCH_MS + index,
      bytesIn: 6200,
      bytesOut: 1400,
      egressMicroUsd: 28.5,
      error: '',
      firstByteMs: 9.5,
      from: PLACES[0],
      host: 'host.example.com',
      layer: LAYERS[at] ?? 'data',
      ms: 14.25,
      spanId: '00f067aa0ba902b7',
      status: 200,
      to,
    })),
    stages: STAGES.map((stage, at) => ({ ms: 0.125, place: PLACES[0], stage, startMs: at * 0.125 })),
    remote: [],
    lag: { ms: 900, place: PLACES[2], stage: 'stream' },
  }
}
