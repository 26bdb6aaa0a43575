/** The cases of the grid: one request each, in the words of every dialect. A dialect that can't say it has none. */
type Bodies = Readonly<Record<string, object | undefined>>

const CHAT = { model: 'm' }
const MESSAGES = { model: 'm', max_tokens: 500 }

const RESPONSES = { model: 'm' }
const user = (content: unknown) => ({ role: 'user', content })
const call = (id: string, city: string) => ({
  type: 'function_call',
  call_id: id,
  name: 'find',
  arguments: JSON.stringify({ city }),
})
const result = (id: string, output: string) => ({ type: 'function_call_output', call_id: id, output })

const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const FIND = { name: 'find', description: 'Finds a place.' }
const CHAT_TOOLS = [{ type: 'function', function: { ...FIND, parameters: SCHEMA } }]
const TOOLS = [{ ...FIND, input_schema: SCHEMA }]
const RESPONSE_TOOLS = [{ type: 'function', ...FIND, parameters: SCHEMA }]
const IMAGE = 'aW1n'

const chatCall = (id: string, city: string) => ({
  id,
  type: 'function',
  function: { name: 'find', arguments: JSON.stringify({ city }) },
})
const use = (id: string, city: string) => ({ type: 'tool_use', id, name: 'find', input: { city } })

export const CASES: Readonly<Record<string, Bodies>> = {
  'text and system': {
    'openai-chat': {
      ...CHAT,
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'hi' },
      ],
    },
    'openai-responses': { ...RESPONSES, instructions: 'be brief', input: 'hi' },
    'anthropic-messages': { ...MESSAGES, system: 'be brief', messages: [{ role: 'user', content: 'hi' }] },
  },
  sampling: {
    'openai-chat': {
      ...CHAT,
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
      max_completion_tokens: 99,
      temperature: 1.5,
      top_p: 0.9,
      stop: ['END'],
      seed: 7,
      frequency_penalty: 0.5,
      user: 'u-1',
    },
    'openai-responses': {
      ...RESPONSES,
      stream: true,
      input: 'hi',
      max_output_tokens: 99,
      temperature: 1.5,
      top_p: 0.9,
      user: 'u-1',
    },
    'anthropic-messages': {
      ...MESSAGES,
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
      temperature: 0.5,
      top_p: 0.9,
      top_k: 4,
      stop_sequences: ['END'],
      metadata: { user_id: 'u-1' },
      service_tier: 'auto',
    },
  },
  'tools offered': {
    'openai-chat': {
      ...CHAT,
      messages: [{ role: 'user', content: 'where?' }],
      tools: CHAT_TOOLS,
      tool_choice: { type: 'function', function: { name: 'find' } },
      parallel_tool_calls: false,
    },
    'openai-responses': {
      ...RESPONSES,
      input: 'where?',
      tools: RESPONSE_TOOLS,
      tool_choice: { type: 'function', name: 'find' },
      parallel_tool_calls: false,
    },
    'anthropic-messages': {
      ...MESSAGES,
      messages: [{ role: 'user', content: 'where?' }],
      tools: [{ ...TOOLS[0], defer_loading: true, cache_control: { type: 'ephemeral' } }],
      tool_choice: { type: 'tool', name: 'find', disable_parallel_tool_use: true },
    },
  },
  'parallel calls answered': {
    'openai-chat': {
      ...CHAT,
      messages: [
        { role: 'user', content: 'where?' },
        { role: 'assistant', content: 'I look.', tool_calls: [chatCall('call.1', 'Köln'), chatCall('call.2', 'Bonn')] },
        { role: 'tool', tool_call_id: 'call.2', content: 'south' },
        { role: 'tool', tool_call_id: 'call.1', content: 'west' },
      ],
      tools: CHAT_TOOLS,
    },
    'openai-responses': {
      ...RESPONSES,
      input: [
        user('where?'),
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
        call('call.1', 'Köln'),
        call('call.2', 'Bonn'),
        result('call.2', 'south'),
        result('call.1', 'west'),
      ],
      tools: RESPONSE_TOOLS,
    },
    'anthropic-messages': {
      ...MESSAGES,
      messages: [
        { role: 'user', content: 'where?' },
        {
          role: 'assistant',
          content: [{ type: 'text', text: 'I look.' }, use('call_1', 'Köln'), use('call_2', 'Bonn')],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_2', content: 'south', is_error: true },
            { type: 'tool_result', tool_use_id: 'call_1', content: [{ type: 'text', text: 'west' }] },
            { type: 'text', text: 'and?' },
          ],
        },
      ],
      tools: TOOLS,
    },
  },
  'tools only in the history': {
    'openai-chat': {
      ...CHAT,
      messages: [
        { role: 'user', content: 'where?' },
        { role: 'assistant', content: null, tool_calls: [chatCall('c1', 'Köln')] },
        { role: 'tool', tool_call_id: 'c1', content: '' },
        { role: 'user', content: 'thanks' },
      ],
    },
    'openai-responses': {
      ...RESPONSES,
      input: [user('where?'), call('c1', 'Köln'), result('c1', ''), user('thanks')],
    },
    'anthropic-messages': {
      ...MESSAGES,
      messages: [
        { role: 'user', content: 'where?' },
        { role: 'assistant', content: [use('c1', 'Köln')] },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'c1' },
            { type: 'text', text: 'thanks' },
          ],
        },
      ],
    },
  },
  'empty content': {
    'openai-chat': {
      ...CHAT,
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: '' },
        {
          role: 'user',
          content: [
            { type: 'text', text: '' },
            { type: 'text', text: 'go' },
          ],
        },
      ],
    },
    'openai-responses': {
      ...RESPONSES,
      input: [
        user('hi'),
        { role: 'assistant', content: '' },
        user([
          { type: 'input_text', text: '' },
          { type: 'input_text', text: 'go' },
        ]),
      ],
    },
    'anthropic-messages': {
      ...MESSAGES,
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: [] },
        {
          role: 'user',
          content: [
            { type: 'text', text: '' },
            { type: 'text', text: 'go' },
          ],
        },
      ],
    },
  },
  image: {
    'openai-chat': {
      ...CHAT,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'what is this?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${IMAGE}`, detail: 'low' } },
          ],
        },
      ],
    },
    'openai-responses': {
      ...RESPONSES,
      input: [
        user([
          { type: 'input_text', text: 'what is this?' },
          { type: 'input_image', image_url: `data:image/png;base64,${IMAGE}`, detail: 'low' },
        ]),
      ],
    },
    'anthropic-messages': {
      ...MESSAGES,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'what is this?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: IMAGE } },
          ],
        },
      ],
    },
  },
  'schema of the answer': {
    'openai-chat': {
      ...CHAT,
      messages: [{ role: 'user', content: 'where?' }],
      response_format: { type: 'json_schema', json_schema: { name: 'place', schema: SCHEMA, strict: true } },
    },
    'openai-responses': {
      ...RESPONSES,
      input: 'where?',
      text: { format: { type: 'json_schema', name: 'place', schema: SCHEMA, strict: true } },
    },
    'anthropic-messages': {
      ...MESSAGES,
      messages: [{ role: 'user', content: 'where?' }],
      output_config: { format: { type: 'json_schema', schema: SCHEMA } },
    },
  },
  'JSON of any shape': {
    'openai-chat': {
      ...CHAT,
      messages: [{ role: 'user', content: 'where?' }],
      response_format: { type: 'json_object' },
    },
    'openai-responses': { ...RESPONSES, input: 'where?', text: { format: { type: 'json_object' } } },
    'anthropic-messages': undefined,
  },
  thinking: {
    'openai-chat': { ...CHAT, messages: [{ role: 'user', content: 'six by seven?' }], reasoning_effort: 'low' },
    'openai-responses': { ...RESPONSES, input: 'six by seven?', reasoning: { effort: 'low' } },
    'anthropic-messages': {
      ...MESSAGES,
      max_tokens: 4000,
      messages: [
        { role: 'user', content: 'six by seven?' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Let me see.', signature: 'c2lnbmF0dXJl' },
            { type: 'redacted_thinking', data: 'c2VhbGVk' },
            { type: 'text', text: '42' },
          ],
        },
        { role: 'user', content: 'sure?' },
      ],
      thinking: { type: 'enabled', budget_tokens: 2000 },
    },
  },
  'cache marks': {
    'openai-chat': undefined,
    'openai-responses': undefined,
    'anthropic-messages': {
      ...MESSAGES,
      system: [{ type: 'text', text: 'be brief', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } }] }],
    },
  },
}
