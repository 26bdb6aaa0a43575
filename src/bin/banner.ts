/** What a newcomer sees when everything runs: lines that work when pasted. */
export function banner(facts: {
  readonly url: string
  readonly key: string
  readonly docs: string
  readonly passages: number
  readonly documents: number
  readonly model: string
  readonly isSimulated: boolean
  readonly dataFolder: string
  readonly switchboardUrl: string
  readonly readyMs: number
}): string {
  const { url, key } = facts
  const answers = facts.isSimulated
    ? `The model is SIMULATED: it quotes the passages it is given. Real answers: --upstream URL or --local-model.`
    : `${facts.model} answers. The other targets are simulated.`
  return `
  Thinplane is ready after ${(facts.readyMs / 1000).toFixed(1)} s.

  endpoint   ${url}/v1
  key        ${key}
  models     chat, claude, gemini (plain), embeddings, gemini-embeddings, assistant (grounded on ${facts.documents} documents, ${facts.passages} passages of ${facts.docs})
  status     ${url}/#key=${key}
  sign in    ${url}/auth/login (simulated Entra: pick an admin, auditor, developer or viewer)
  clouds     simulated on this machine, with measured latency between regions; faults: ${facts.switchboardUrl}/faults
  state      ${facts.dataFolder}

  ${answers}

  curl -N ${url}/v1/chat/completions \\
    -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
    -d '{"model":"assistant","stream":true,"messages":[{"role":"user","content":"How many vacation days do I get a year?"}]}'

  // npm install openai
  import OpenAI from 'openai'
  const client = new OpenAI({ baseURL: '${url}/v1', apiKey: '${key}' })
  const answer = await client.chat.completions.create({
    model: 'assistant',
    messages: [{ role: 'user', content: 'How many vacation days do I get a year?' }],
  })
  console.log(answer.choices[0].message.content)

  Ctrl-C stops everything.
`
}
