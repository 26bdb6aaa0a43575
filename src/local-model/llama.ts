import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ChatTurn, type Engine, type GenerateRequest, type Generated, PromptTooLong } from './engine.ts'

export interface LlamaOptions {
  /** The folder that the engine was installed into: `installs/local-model`. */
  readonly folder: string
  readonly modelPath: string
  readonly model: string
  /** Default 2,048: what the model was trained with. */
  readonly contextTokens?: number | undefined
}

const CONTEXT_TOKENS = 2048
/** A prompt that leaves less than this is refused: an answer cut in its first words helps nobody. */
const LEAST_ANSWER_TOKENS = 64
/** Answers of a model this small do not get better by getting longer. */
const DEFAULT_ANSWER_TOKENS = 256
/** The engine's threads spin while they wait: more than one collapses as soon as something else runs on the machine. */
const THREADS = 1

/**
 * Loads the engine and the model. The engine is not in the root's tree, so it is imported by its path.
 * @throws when it is not installed or the file is no model.
 */
export async function openLlama(options: LlamaOptions): Promise<Engine> {
  const entry = pathToFileURL(join(options.folder, 'node_modules/node-llama-cpp/dist/index.js')).href
  const library = (await import(entry)) as Library
  const llama = await library.getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: 'error',
  })
  const model = await llama.loadModel({ modelPath: options.modelPath })
  const contextTokens = options.contextTokens ?? CONTEXT_TOKENS
  const context = await model.createContext({ contextSize: contextTokens, threads: THREADS, sequences: 1 })
  const sequence = context.getSequence()
  // The template that stands in the model file itself.
  const wrapper = library.resolveChatWrapper(model)
  const chat = new library.LlamaChat({ contextSequence: sequence, chatWrapper: wrapper })
  return {
    model: options.model,
    contextTokens,
    generate: (request, onText, signal) =>
      generate({ model, sequence, wrapper, chat, contextTokens }, request, onText, signal),
    close: () => llama.dispose(),
  }
}

interface Loaded {
  readonly model: Model
  readonly sequence: Sequence
  readonly wrapper: Wrapper
  readonly chat: Chat
  readonly contextTokens: number
}

async function generate(
  loaded: Loaded,
  request: GenerateRequest,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<Generated> {
  const { model, sequence, wrapper, chat, contextTokens } = loaded
  const history = historyOf(request.turns)
  const promptTokens = wrapper
    .generateContextState({ chatHistory: history })
    .contextText.tokenize(model.tokenizer).length
  const room = contextTokens - promptTokens
  if (room < LEAST_ANSWER_TOKENS) throw new PromptTooLong(promptTokens, contextTokens, LEAST_ANSWER_TOKENS)
  const before = sequence.tokenMeter.getState()
  const { metadata } = await chat.generateResponse(history, {
    // One token of the context is the end of the answer.
    maxTokens: Math.min(room - 1, request.maxTokens ?? DEFAULT_ANSWER_TOKENS),
    temperature: request.temperature,
    ...(request.topP === undefined ? {} : { topP: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(request.stop.length === 0 ? {} : { customStopTriggers: request.stop }),
    signal,
    stopOnAbortSignal: true,
    onTextChunk: onText,
  })
  return {
    finish: metadata.stopReason === 'maxTokens' ? 'length' : metadata.stopReason === 'abort' ? 'left' : 'stop',
    promptTokens,
    completionTokens: sequence.tokenMeter.diff(before).usedOutputTokens,
  }
}

/** The engine's own form, with an empty answer at the end for the model to fill. */
function historyOf(turns: readonly ChatTurn[]): HistoryItem[] {
  const items = turns.map(({ role, text }): HistoryItem =>
    role === 'assistant' ? { type: 'model', response: [text] } : { type: role, text },
  )
  return [...items, { type: 'model', response: [] }]
}

/* As much of node-llama-cpp as is used here: its own types are not installed where these files are checked. */

type HistoryItem =
  | { readonly type: 'system' | 'user'; readonly text: string }
  | { readonly type: 'model'; readonly response: readonly string[] }

interface Library {
  getLlama(options: {
    readonly gpu: false
    readonly build: 'never'
    readonly skipDownload: true
    readonly progressLogs: false
    readonly logLevel: 'error'
  }): Promise<Llama>
  resolveChatWrapper(model: Model): Wrapper
  readonly LlamaChat: new (options: { readonly contextSequence: Sequence; readonly chatWrapper: Wrapper }) => Chat
}

interface Llama {
  loadModel(options: { readonly modelPath: string }): Promise<Model>
  dispose(): Promise<void>
}

interface Model {
  readonly tokenizer: unknown
  createContext(options: {
    readonly contextSize: number
    readonly threads: number
    readonly sequences: number
  }): Promise<{ getSequence(): Sequence }>
}

interface Sequence {
  readonly tokenMeter: { getState(): unknown; diff(before: unknown): { readonly usedOutputTokens: number } }
}

interface Wrapper {
  generateContextState(options: { readonly chatHistory: readonly HistoryItem[] }): {
    readonly contextText: { tokenize(tokenizer: unknown): readonly unknown[] }
  }
}

interface Chat {
  generateResponse(
    history: readonly HistoryItem[],
    options: {
      readonly maxTokens: number
      readonly temperature: number
      readonly topP?: number
      readonly seed?: number
      readonly customStopTriggers?: readonly string[]
      readonly signal: AbortSignal
      readonly stopOnAbortSignal: true
      readonly onTextChunk: (text: string) => void
    },
  ): Promise<{ readonly metadata: { readonly stopReason: string } }>
}
