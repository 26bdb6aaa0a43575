/** How fast an engine is and how much it holds. Times are milliseconds of the model, before `timeScale`. */
export interface EngineSettings {
  /** vLLM's `--max-num-seqs`: requests that run at once; more wait. */
  readonly maxNumSeqs: number
  /** To the first token, whatever the prompt: launches, scheduling, tokenizing. */
  readonly overheadMs: number
  /** For each token of the prompt that the prefix cache does not hold. */
  readonly prefillMsPerToken: number
  /** Between two tokens of an answer that is alone. */
  readonly tokenMs: number
  /** Share by which the time between two tokens varies, evenly to both sides. */
  readonly jitter: number
  /** How many times slower everything is with `maxNumSeqs` answers at once, linear between. At least 1. */
  readonly loadFactor: number
  /** Blocks of 16 tokens in the cache. */
  readonly numGpuBlocks: number
  /** vLLM's `--enable-prefix-caching`, on by default there as well. */
  readonly prefixCaching: boolean
  /** The same seed varies the same. */
  readonly seed: number
}

/**
 * Names of presets. Both are priors for an 8B model in 16 bits, from the tables of llm-d-inference-sim
 * (docs/latency-profiles.md, August 2026); neither was measured here.
 */
export const ENGINE_PRESETS = ['l40s-8b', 'l4-8b'] as const
export type EnginePreset = (typeof ENGINE_PRESETS)[number]

/** A preset and what differs from it. */
export interface EngineOptions extends Partial<EngineSettings> {
  /** Default `l4-8b`, the GPU that Cloud Run has. */
  readonly preset?: EnginePreset
}

/**
 * The middle of the tables' ranges: overhead 25 to 40 ms, 0.65 to 1.00 ms for each token of a prompt, 25 to 35 ms between
 * tokens; 33 + 256 x 0.8 = 238 ms is within the 180 to 280 ms that they give for 256 tokens. Load factor: theirs for a
 * deployment tuned for latency, 1.5 to 2. Blocks: nine tenths of 48 GB less 16 GB of weights and 1.5 GB of activations,
 * at 128 KB a token.
 */
const L40S_8B: EngineSettings = {
  maxNumSeqs: 64,
  overheadMs: 33,
  prefillMsPerToken: 0.8,
  tokenMs: 30,
  jitter: 0.1,
  loadFactor: 2,
  numGpuBlocks: 12_300,
  prefixCaching: true,
  seed: 1,
}

/**
 * The tables have no L4. It has 300 GB/s of memory bandwidth where an L40S has 864, and a third of the arithmetic: an
 * estimate of twice the time for both, the middle of 1.5 to 2.5. Blocks as above with 24 GB.
 */
const L4_8B: EngineSettings = {
  ...L40S_8B,
  maxNumSeqs: 16,
  prefillMsPerToken: 1.6,
  tokenMs: 60,
  numGpuBlocks: 2_000,
}

const PRESETS: Readonly<Record<EnginePreset, EngineSettings>> = { 'l40s-8b': L40S_8B, 'l4-8b': L4_8B }

/** Fills in what the preset says. */
export function engineSettings({ preset = 'l4-8b', ...given }: EngineOptions): EngineSettings {
  return { ...PRESETS[preset], ...given }
}
