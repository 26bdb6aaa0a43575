import type { Batch, Event, FinishReason, TokenLogprob, Usage } from '#contract/event.ts'
import { unreachable } from '#kit/unreachable.ts'
import { type AnswerFacts, type StreamEncoder, type WholeEncoder, answerNote } from '#wire/dialect.ts'
import { carriedId } from '#wire/proofs.ts'
import { error } from './error.ts'

const FINISH: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  refusal: 'content_filter',
}

/** Chunks are put together from text: the parts that never change are built once an answer. */
export function streamEncoder(answer: AnswerFacts): StreamEncoder {
  const head = `data: {"id":"chatcmpl-${answer.requestId}","object":"chat.completion.chunk","created":${answer.createdEpochS},"model":${JSON.stringify(answer.alias)},`
  const begun = new Set([0])
  const choice = (index: number, delta: string): string =>
    (begun.has(index) ? '' : role(index)) +
    `${head}"choices":[{"index":${index},"delta":${delta},"finish_reason":null}]}\n\n`
  // The first says who speaks; the others of several answers say so when they begin.
  const role = (index: number): string => {
    begun.add(index)
    return choice(index, '{"role":"assistant","content":""}')
  }
  let usage: Usage | undefined
  const encodeOne = (event: Batch[number]): string => {
    switch (event.type) {
      case 'start':
        return role(0)
      case 'text-delta':
        return choice(event.choice, `{"content":${JSON.stringify(event.text)}}`)
      case 'reasoning-delta':
        return choice(event.choice, `{"reasoning":${JSON.stringify(event.text)}}`)
      case 'tool-call-start':
        return choice(
          event.choice,
          `{"tool_calls":[{"index":${event.index},"id":${JSON.stringify(carriedId(event.id, event.signature))},"type":"function","function":{"name":${JSON.stringify(event.name)},"arguments":""}}]}`,
        )
      case 'tool-call-delta':
        return choice(
          event.choice,
          `{"tool_calls":[{"index":${event.index},"function":{"arguments":${JSON.stringify(event.arguments)}}}]}`,
        )
      case 'finish':
        return `${head}"choices":[{"index":${event.choice},"delta":{},"finish_reason":"${FINISH[event.reason]}"}],"thinplane":${JSON.stringify(answerNote(answer))}}\n\n`
      case 'reasoning-signature':
        return choice(event.choice, `{"reasoning_details":[${JSON.stringify(signatureDetail(event))}]}`)
      case 'reasoning-sealed':
        return choice(event.choice, `{"reasoning_details":[${JSON.stringify(sealedDetail(event))}]}`)
      case 'logprobs':
        return `${head}"choices":[{"index":${event.choice},"delta":{},"logprobs":${JSON.stringify({ content: event.tokens, refusal: null })},"finish_reason":null}]}\n\n`
      case 'embedding':
      case 'token-count':
        return ''
      case 'usage':
        usage = event.usage
        return ''
      case 'end':
        return `${answer.includeUsage && usage !== undefined ? `${head}"choices":[],"usage":${JSON.stringify(encodeUsage(usage))}}\n\n` : ''}data: [DONE]\n\n`
      default:
        return unreachable(event)
    }
  }
  return {
    push: (batch) => {
      let text = ''
      for (const event of batch) text += encodeOne(event)
      return text
    },
    // Clients raise it as an error; no `[DONE]` follows, so a cut answer can not be taken for a whole one.
    fail: (refusal) => `data: ${error(refusal, answer.requestId)}\n\n`,
  }
}

/** What a client gives back with its history, so that the model may go on from what it thought. */
function signatureDetail({ signature, family }: Extract<Event, { type: 'reasoning-signature' }>) {
  return { type: 'reasoning.text', format: family, signature }
}

function sealedDetail({ data, family }: Extract<Event, { type: 'reasoning-sealed' }>) {
  return { type: 'reasoning.encrypted', format: family, data }
}

/** The proofs of an answer, the first with the text that it proves; in a stream the text is in `reasoning`. */
function withThought(details: readonly object[], reasoning: string): object[] {
  const [first, ...others] = details
  return first !== undefined && 'signature' in first ? [{ ...first, text: reasoning }, ...others] : [...details]
}

interface WholeChoice {
  text: string
  reasoning: string
  readonly details: object[]
  readonly logprobs: TokenLogprob[]
  readonly calls: Map<number, { id: string; name: string; arguments: string }>
  finish: FinishReason
}

export function wholeEncoder(answer: AnswerFacts): WholeEncoder {
  const choices = new Map<number, WholeChoice>()
  let usage: Usage | undefined
  const choiceOf = (index: number): WholeChoice => {
    let choice = choices.get(index)
    if (choice === undefined) {
      choice = { text: '', reasoning: '', details: [], logprobs: [], calls: new Map(), finish: 'stop' }
      choices.set(index, choice)
    }
    return choice
  }
  return {
    push(batch: Batch): void {
      for (const event of batch) {
        if (event.type === 'text-delta') choiceOf(event.choice).text += event.text
        else if (event.type === 'reasoning-delta') choiceOf(event.choice).reasoning += event.text
        else if (event.type === 'tool-call-start')
          choiceOf(event.choice).calls.set(event.index, {
            id: carriedId(event.id, event.signature),
            name: event.name,
            arguments: '',
          })
        else if (event.type === 'tool-call-delta') {
          const call = choiceOf(event.choice).calls.get(event.index)
          if (call !== undefined) call.arguments += event.arguments
        } else if (event.type === 'reasoning-signature') choiceOf(event.choice).details.push(signatureDetail(event))
        else if (event.type === 'reasoning-sealed') choiceOf(event.choice).details.push(sealedDetail(event))
        else if (event.type === 'logprobs') choiceOf(event.choice).logprobs.push(...event.tokens)
        else if (event.type === 'finish') choiceOf(event.choice).finish = event.reason
        else if (event.type === 'usage') usage = event.usage
      }
    },
    end(): string {
      return JSON.stringify({
        id: `chatcmpl-${answer.requestId}`,
        object: 'chat.completion',
        created: answer.createdEpochS,
        model: answer.alias,
        choices: [...choices].toSorted(([a], [b]) => a - b).map(([index, choice]) => wholeChoice(index, choice)),
        ...(usage === undefined ? {} : { usage: encodeUsage(usage) }),
        thinplane: answerNote(answer),
      })
    },
  }
}

function wholeChoice(index: number, { text, reasoning, details, logprobs, calls, finish }: WholeChoice): object {
  const toolCalls = [...calls.values()].map(({ id, name, arguments: args }) => ({
    id,
    type: 'function',
    function: { name, arguments: args },
  }))
  return {
    index,
    message: {
      role: 'assistant',
      content: text === '' && toolCalls.length > 0 ? null : text,
      refusal: null,
      ...(reasoning === '' ? {} : { reasoning }),
      ...(details.length === 0 ? {} : { reasoning_details: withThought(details, reasoning) }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
    },
    logprobs: logprobs.length === 0 ? null : { content: logprobs, refusal: null },
    finish_reason: FINISH[finish],
  }
}

/** OpenAI counts cached tokens inside the prompt and reasoning inside the completion. */
function encodeUsage({ input, cachedRead, cachedWrite, output, reasoning }: Usage): object {
  const prompt = input + cachedRead + cachedWrite
  const completion = output + reasoning
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cachedRead },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
}
