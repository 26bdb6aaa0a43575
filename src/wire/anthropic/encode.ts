import { type Batch, type Event, type FinishReason, NO_USAGE, type Usage } from '#contract/event.ts'
import { parseJson } from '#kit/json.ts'
import { type AnswerFacts, type StreamEncoder, type WholeEncoder, answerNote } from '#wire/dialect.ts'
import { carriedId, carriedProof } from '#wire/proofs.ts'
import { error } from './error.ts'

const STOP: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  'tool-calls': 'tool_use',
  'content-filter': 'refusal',
  refusal: 'refusal',
}

interface OpenTool {
  readonly id: string
  readonly name: string
  input: string
}

/** Which content block is open: a new kind of content closes it and opens the next. */
interface BlockState {
  index: number
  /** `text`, `thinking`, `sealed`, `tool <index>`, or empty. */
  open: string
  /** Tool calls that began while another was open: blocks may not interleave here, so they come after it. */
  readonly later: Map<number, OpenTool>
  stop: FinishReason
  stopSequence: string | null
  /** Whether a tool was called: clients go by the reason, and some servers give `stop` for a call that was demanded. */
  hasCalled: boolean
  usage: Usage
}

export function streamEncoder(answer: AnswerFacts): StreamEncoder {
  const state: BlockState = {
    index: -1,
    open: '',
    later: new Map(),
    stop: 'stop',
    stopSequence: null,
    hasCalled: false,
    usage: NO_USAGE,
  }
  return {
    push: (batch) => {
      let text = ''
      for (const event of batch) text += encodeOne(answer, state, event)
      return text
    },
    // The dialect's own error event; no `message_stop` follows.
    fail: (refusal) => `event: error\ndata: ${error(refusal, answer.requestId)}\n\n`,
  }
}

function encodeOne(answer: AnswerFacts, state: BlockState, event: Event): string {
  switch (event.type) {
    case 'start':
      return frame('message_start', {
        message: {
          ...messageHead(answer),
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: encodeUsage(NO_USAGE),
        },
      })
    case 'text-delta':
      return (
        openBlock(state, 'text', { type: 'text', text: '' }) +
        blockDelta(state, { type: 'text_delta', text: event.text })
      )
    case 'reasoning-delta':
      return (
        openBlock(state, 'thinking', { type: 'thinking', thinking: '', signature: '' }) +
        blockDelta(state, { type: 'thinking_delta', thinking: event.text })
      )
    case 'reasoning-signature':
      return (
        openBlock(state, 'thinking', { type: 'thinking', thinking: '', signature: '' }) +
        blockDelta(state, { type: 'signature_delta', signature: carriedProof(event.signature, event.family) }) +
        closeBlock(state)
      )
    case 'reasoning-sealed':
      return (
        openBlock(state, 'sealed', { type: 'redacted_thinking', data: carriedProof(event.data, event.family) }) +
        closeBlock(state)
      )
    case 'logprobs':
    case 'embedding':
    case 'token-count':
      return ''
    case 'tool-call-start':
      state.hasCalled = true
      if (!state.open.startsWith('tool '))
        return openTool(state, event.index, {
          id: carriedId(event.id, event.signature),
          name: event.name,
          input: '',
        })
      state.later.set(event.index, { id: carriedId(event.id, event.signature), name: event.name, input: '' })
      return ''
    case 'tool-call-delta': {
      const waiting = state.later.get(event.index)
      if (waiting === undefined) return blockDelta(state, { type: 'input_json_delta', partial_json: event.arguments })
      waiting.input += event.arguments
      return ''
    }
    case 'finish':
      state.stop = stopOf(event.reason, state.hasCalled)
      state.stopSequence = event.stopSequence ?? null
      return closeBlock(state)
    case 'usage':
      state.usage = event.usage
      return ''
    case 'end':
      return (
        frame('message_delta', {
          delta: stopFields(state.stop, state.stopSequence),
          usage: encodeUsage(state.usage),
          thinplane: answerNote(answer),
        }) + frame('message_stop', {})
      )
  }
}

function frame(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
}

function openBlock(state: BlockState, kind: string, block: object): string {
  if (state.open === kind) return ''
  const closed = closeBlock(state)
  state.open = kind
  state.index += 1
  return closed + frame('content_block_start', { index: state.index, content_block: block })
}

function openTool(state: BlockState, index: number, { id, name, input }: OpenTool): string {
  const opened = openBlock(state, `tool ${index}`, { type: 'tool_use', id, name, input: {} })
  return input === '' ? opened : opened + blockDelta(state, { type: 'input_json_delta', partial_json: input })
}

/** Closes the open block, and with it hands on the tool calls that had to wait. */
function closeBlock(state: BlockState): string {
  if (state.open === '') return ''
  state.open = ''
  let text = frame('content_block_stop', { index: state.index })
  const later = [...state.later]
  state.later.clear()
  for (const [index, tool] of later) {
    text += openTool(state, index, tool) + frame('content_block_stop', { index: state.index })
    state.open = ''
  }
  return text
}

function blockDelta(state: BlockState, delta: object): string {
  return frame('content_block_delta', { index: state.index, delta })
}

function stopOf(reason: FinishReason, hasCalled: boolean): FinishReason {
  return reason === 'stop' && hasCalled ? 'tool-calls' : reason
}

/** A stop sequence that was met is a reason of its own here. */
function stopFields(stop: FinishReason, stopSequence: string | null): object {
  const isMet = stop === 'stop' && stopSequence !== null
  return { stop_reason: isMet ? 'stop_sequence' : STOP[stop], stop_sequence: isMet ? stopSequence : null }
}

function messageHead({ requestId, alias }: AnswerFacts) {
  return { id: `msg_${requestId}`, type: 'message', role: 'assistant', model: alias }
}

type Block =
  | { type: 'text'; text: string }
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'redacted_thinking'; data: string }
  | { type: 'tool_use'; id: string; name: string; input: string; call: number }

export function wholeEncoder(answer: AnswerFacts): WholeEncoder {
  const blocks: Block[] = []
  let stop: FinishReason = 'stop'
  let stopSequence: string | null = null
  let usage = NO_USAGE
  return {
    push(batch: Batch): void {
      for (const event of batch) {
        if (event.type === 'finish') {
          stop = stopOf(
            event.reason,
            blocks.some(({ type }) => type === 'tool_use'),
          )
          stopSequence = event.stopSequence ?? null
        } else if (event.type === 'usage') usage = event.usage
        else append(blocks, event)
      }
    },
    end(): string {
      return JSON.stringify({
        ...messageHead(answer),
        content: blocks.map((block) => (block.type === 'tool_use' ? toolUse(block) : block)),
        ...stopFields(stop, stopSequence),
        usage: encodeUsage(usage),
        thinplane: answerNote(answer),
      })
    },
  }
}

function append(blocks: Block[], event: Event): void {
  const last = blocks.at(-1)
  if (event.type === 'text-delta') {
    if (last?.type === 'text') last.text += event.text
    else blocks.push({ type: 'text', text: event.text })
  } else if (event.type === 'reasoning-delta') {
    if (last?.type === 'thinking' && last.signature === '') last.thinking += event.text
    else blocks.push({ type: 'thinking', thinking: event.text, signature: '' })
  } else if (event.type === 'reasoning-signature') {
    const signature = carriedProof(event.signature, event.family)
    if (last?.type === 'thinking' && last.signature === '') last.signature = signature
    else blocks.push({ type: 'thinking', thinking: '', signature })
  } else if (event.type === 'reasoning-sealed')
    blocks.push({ type: 'redacted_thinking', data: carriedProof(event.data, event.family) })
  else if (event.type === 'tool-call-start')
    blocks.push({
      type: 'tool_use',
      id: carriedId(event.id, event.signature),
      name: event.name,
      input: '',
      call: event.index,
    })
  else if (event.type === 'tool-call-delta') {
    const block = blocks.find((candidate) => candidate.type === 'tool_use' && candidate.call === event.index)
    if (block?.type === 'tool_use') block.input += event.arguments
  }
}

function toolUse({ id, name, input }: Extract<Block, { type: 'tool_use' }>): object {
  return { type: 'tool_use', id, name, input: parseJson(input === '' ? '{}' : input) ?? {} }
}

/** Anthropic leaves cached tokens out of the input. */
function encodeUsage({ input, cachedRead, cachedWrite, output, reasoning }: Usage): object {
  return {
    input_tokens: input,
    cache_read_input_tokens: cachedRead,
    cache_creation_input_tokens: cachedWrite,
    output_tokens: output + reasoning,
  }
}

/** `{"input_tokens": n}`; where no target counts, the number is an estimate and says so. */
export function countEncoder(answer: AnswerFacts): WholeEncoder {
  let tokens = 0
  let estimated = false
  return {
    push: (batch) => {
      for (const event of batch) {
        if (event.type === 'token-count') {
          tokens = event.tokens
          estimated = event.estimated
        }
      }
    },
    end: () => JSON.stringify({ input_tokens: tokens, thinplane: { ...answerNote(answer), estimated } }),
  }
}
