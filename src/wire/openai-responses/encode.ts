import type { Tool } from '#contract/ask.ts'
import { answerId } from '#contract/call.ts'
import type { Batch, Usage } from '#contract/event.ts'
import type { Refusal } from '#contract/refusal.ts'
import { type AnswerFacts, type StreamEncoder, type WholeEncoder, answerNote } from '#wire/dialect.ts'
import { type Item, Items, type Step } from './items.ts'

/** The events of `POST /v1/responses` with `stream`, each with its number. */
export function streamEncoder(answer: AnswerFacts): StreamEncoder {
  const items = new Items(answer.requestId)
  let sequence = 0
  const frame = (type: string, facts: object): string => {
    const text = `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence, ...facts })}\n\n`
    sequence += 1
    return text
  }
  const push = (batch: Batch): string => {
    let text = ''
    for (const event of batch) {
      if (event.type === 'start') {
        const response = responseOf(answer, items, 'in_progress')
        text += frame('response.created', { response }) + frame('response.in_progress', { response })
        continue
      }
      for (const step of items.take([event])) text += tell(step, frame)
      if (event.type === 'end') {
        const status = isCutShort(items) ? 'incomplete' : 'completed'
        text += frame(`response.${status}`, { response: responseOf(answer, items, status) })
      }
    }
    return text
  }
  return {
    push,
    // Both, since clients differ in which of them they raise; `response.completed` never follows.
    fail: (refusal) =>
      frame('error', { code: refusal.code, message: refusal.message, param: refusal.param ?? null }) +
      frame('response.failed', { response: { ...responseOf(answer, items, 'failed'), error: failureOf(refusal) } }),
  }
}

function failureOf({ code, message }: Refusal): object {
  return { code: code === 'INFER_THROTTLED' ? 'rate_limit_exceeded' : 'server_error', message }
}

type Frame = (type: string, facts: object) => string

function tell(step: Step, frame: Frame): string {
  switch (step.kind) {
    case 'opened':
      return opened(step.at, step.item, frame)
    case 'grew':
      return grew(step, frame)
    case 'done':
      return closed(step.at, step.item, frame)
  }
}

function opened(at: number, item: Item, frame: Frame): string {
  const shell = item.type === 'message' ? { ...itemOf(item), content: [] } : itemOf(item)
  const added = frame('response.output_item.added', { output_index: at, item: shell })
  const place = { item_id: item.id, output_index: at }
  if (item.type === 'message')
    return added + frame('response.content_part.added', { ...place, content_index: 0, part: textPart('', []) })
  if (item.type === 'reasoning')
    return added + frame('response.reasoning_summary_part.added', { ...place, summary_index: 0, part: summaryPart('') })
  return added
}

function grew({ at, item, delta, logprobs = [] }: Extract<Step, { kind: 'grew' }>, frame: Frame): string {
  const place = { item_id: item.id, output_index: at }
  if (item.type === 'message')
    return frame('response.output_text.delta', { ...place, content_index: 0, delta, logprobs })
  if (item.type === 'reasoning')
    return frame('response.reasoning_summary_text.delta', { ...place, summary_index: 0, delta })
  return frame('response.function_call_arguments.delta', { ...place, delta })
}

function closed(at: number, item: Item, frame: Frame): string {
  const place = { item_id: item.id, output_index: at }
  // Frames are numbered as they are made: the item's own end comes last.
  const done = (): string => frame('response.output_item.done', { output_index: at, item: itemOf(item) })
  if (item.type === 'message') {
    return (
      frame('response.output_text.done', { ...place, content_index: 0, text: item.text, logprobs: item.logprobs }) +
      frame('response.content_part.done', { ...place, content_index: 0, part: textPart(item.text, item.logprobs) }) +
      done()
    )
  }
  if (item.type === 'reasoning') {
    return (
      frame('response.reasoning_summary_text.done', { ...place, summary_index: 0, text: item.text }) +
      frame('response.reasoning_summary_part.done', { ...place, summary_index: 0, part: summaryPart(item.text) }) +
      done()
    )
  }
  return (
    frame('response.function_call_arguments.done', { ...place, name: item.name, arguments: argumentsOf(item) }) + done()
  )
}

export function wholeEncoder(answer: AnswerFacts): WholeEncoder {
  const items = new Items(answer.requestId)
  return {
    push: (batch) => {
      items.take(batch)
    },
    end: () => JSON.stringify(responseOf(answer, items, isCutShort(items) ? 'incomplete' : 'completed')),
  }
}

function isCutShort({ finish }: Items): boolean {
  return finish === 'length' || finish === 'content-filter'
}

function responseOf(
  answer: AnswerFacts,
  { all, usage, finish }: Items,
  status: 'in_progress' | 'completed' | 'incomplete' | 'failed',
): object {
  const { ask } = answer
  const { sampling, reasoning } = ask
  return {
    id: answerId(answer.requestId),
    object: 'response',
    created_at: answer.createdEpochS,
    status,
    background: false,
    error: null,
    incomplete_details:
      status === 'incomplete' ? { reason: finish === 'length' ? 'max_output_tokens' : 'content_filter' } : null,
    // What a client sent is not sent back: it may be long, and it has it.
    instructions: null,
    max_output_tokens: sampling.maxTokens ?? null,
    metadata: ask.rest['metadata'] ?? {},
    model: answer.alias,
    output: all.map(itemOf),
    parallel_tool_calls: ask.parallelTools ?? true,
    previous_response_id: ask.previous ?? null,
    reasoning: { effort: reasoning?.effort ?? null, summary: null },
    store: answer.isStored,
    temperature: sampling.temperature ?? 1,
    text: { format: formatOf(answer) },
    tool_choice: choiceOf(answer),
    tools: ask.tools.map(toolOf),
    top_p: sampling.topP ?? 1,
    truncation: 'disabled',
    ...(usage === undefined ? {} : { usage: usageOf(usage) }),
    user: ask.rest['user'] ?? null,
    thinplane: answerNote(answer),
  }
}

function itemOf(item: Item): object {
  const status = item.isDone ? 'completed' : 'in_progress'
  switch (item.type) {
    case 'message':
      return { id: item.id, type: 'message', status, role: 'assistant', content: [textPart(item.text, item.logprobs)] }
    case 'reasoning':
      return {
        id: item.id,
        type: 'reasoning',
        summary: item.text === '' ? [] : [summaryPart(item.text)],
        ...(item.sealed === '' ? {} : { encrypted_content: item.sealed }),
        status,
      }
    case 'function_call':
      return {
        id: item.id,
        type: 'function_call',
        status,
        call_id: item.callId,
        name: item.name,
        arguments: item.isDone ? argumentsOf(item) : item.arguments,
      }
  }
}

/** Models call tools without arguments by saying nothing; clients parse what they get. */
function argumentsOf(item: Extract<Item, { type: 'function_call' }>): string {
  return item.arguments === '' ? '{}' : item.arguments
}

function textPart(text: string, logprobs: readonly object[]): object {
  return { type: 'output_text', text, annotations: [], logprobs }
}

function summaryPart(text: string): object {
  return { type: 'summary_text', text }
}

function formatOf({ ask: { format } }: AnswerFacts): object {
  if (format === undefined) return { type: 'text' }
  if (format.type === 'json') return { type: 'json_object' }
  const { name, schema, strict, description } = format
  return { type: 'json_schema', name, schema, strict: strict ?? null, description: description ?? null }
}

function choiceOf({ ask: { toolChoice } }: AnswerFacts): unknown {
  if (toolChoice === undefined) return 'auto'
  return typeof toolChoice === 'string' ? toolChoice : { type: 'function', name: toolChoice.name }
}

function toolOf({ name, description, parameters, strict }: Tool): object {
  return { type: 'function', name, description: description ?? null, parameters, strict: strict ?? null }
}

/** OpenAI counts cached tokens inside the input and reasoning inside the output. */
function usageOf({ input, cachedRead, cachedWrite, output, reasoning }: Usage): object {
  const all = input + cachedRead + cachedWrite
  const said = output + reasoning
  return {
    input_tokens: all,
    input_tokens_details: { cached_tokens: cachedRead },
    output_tokens: said,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: all + said,
  }
}
