import { z } from 'zod'
import type { Cross, Trip } from '#contract/crossing.ts'
import {
  type Judgement,
  type ManagedService,
  NoVerdict,
  type Segment,
  type ServiceAccess,
  ask,
  recordsOf,
} from './service.ts'
import { batchesOf, codePoints, piecesOf } from './pieces.ts'

export interface ContentSafetyOptions extends ServiceAccess {
  /** Blocklists of the resource that are looked through: a hit blocks. */
  readonly blocklists: readonly string[]
  /** Whether Prompt Shields are asked about prompts and documents. */
  readonly shields: boolean
}

/** GA version whose shapes are checked here. */
const API_VERSION = '2024-09-01'
/** The service's limit of one text, and of the documents of one call together, in code points. */
const MAX_CODE_POINTS = 10_000
const MAX_DOCUMENTS = 5
const OVERLAP = 400
const CATEGORIES = ['Hate', 'SelfHarm', 'Sexual', 'Violence'] as const
/** What is found or is not, without a degree. */
const CERTAIN = 7

/** Severity is optional in the service's schema: a missing one means that nothing was evaluated, not that it is 0. */
const Analyzed = z.object({
  categoriesAnalysis: z.array(z.object({ category: z.string(), severity: z.number().int().min(0).max(7) })),
  blocklistsMatch: z.array(z.object({ blocklistName: z.string() })).default([]),
})

const Shielded = z.object({
  userPromptAnalysis: z.object({ attackDetected: z.boolean() }).optional(),
  documentsAnalysis: z.array(z.object({ attackDetected: z.boolean() })).default([]),
})

/** Azure AI Content Safety: `text:analyze` with blocklists, and `text:shieldPrompt`. */
export function contentSafety(options: ContentSafetyOptions, cross: Cross): ManagedService {
  const { blocklists, shields, place, usdPerThousandRecords } = options
  return {
    name: 'content-safety',
    version: `${API_VERSION} ${shields ? 'shields' : ''} ${blocklists.join(',')}`,
    place,
    usdPerThousandRecords,
    judge: async (segments, trip) => {
      const calls = [
        ...analyzeCalls(segments).map((text) => analyze(options, text, cross, trip)),
        ...(shields ? shieldCalls(segments).map((call) => shield(options, call, cross, trip)) : []),
      ]
      return merged(await Promise.all(calls), segments.length)
    },
  }
}

interface Answer {
  readonly severities: readonly (readonly [category: string, severity: number])[]
  readonly records: number
}

function merged(answers: readonly Answer[], segments: number): Judgement {
  const severities = new Map<string, number>()
  let records = 0
  for (const answer of answers) {
    records += answer.records
    for (const [category, severity] of answer.severities)
      severities.set(category, Math.max(severity, severities.get(category) ?? 0))
  }
  return { severities, spans: Array.from({ length: segments }, () => []), records }
}

/** All texts in as few calls as the limit allows. */
function analyzeCalls(segments: readonly Segment[]): string[] {
  const joined = segments.map(({ text }) => text).join('\n\n')
  return piecesOf(joined, MAX_CODE_POINTS, OVERLAP).map(({ text }) => text)
}

async function analyze(options: ContentSafetyOptions, text: string, cross: Cross, trip: Trip): Promise<Answer> {
  const { blocklists } = options
  const body = {
    text,
    categories: CATEGORIES,
    outputType: 'EightSeverityLevels',
    ...(blocklists.length === 0 ? {} : { blocklistNames: blocklists, haltOnBlocklistHit: false }),
  }
  const answer = await ask(cross, trip, options, `/contentsafety/text:analyze?api-version=${API_VERSION}`, body)
  const { categoriesAnalysis, blocklistsMatch } = checked(Analyzed, answer)
  const found = new Map(categoriesAnalysis.map(({ category, severity }) => [category, severity]))
  for (const category of CATEGORIES) if (!found.has(category)) throw new NoVerdict(`left out category ${category}`)
  const hits = blocklistsMatch.map(({ blocklistName }) => [`Blocklist ${blocklistName}`, CERTAIN] as const)
  return { severities: [...found, ...hits], records: recordsOf(text) }
}

interface ShieldCall {
  readonly userPrompt?: string
  readonly documents?: readonly string[]
}

/** Prompts go one by one piece, documents five at a time and at most the limit together. */
function shieldCalls(segments: readonly Segment[]): ShieldCall[] {
  const prompts = segments.filter(({ kind }) => kind === 'prompt')
  const documents = segments.filter(({ kind }) => kind === 'document')
  const texts =
    prompts.length === 0 ? [] : piecesOf(prompts.map(({ text }) => text).join('\n\n'), MAX_CODE_POINTS, OVERLAP)
  const pieces = documents.flatMap(({ text }) => piecesOf(text, MAX_CODE_POINTS, OVERLAP))
  const batches = batchesOf(pieces, MAX_DOCUMENTS, MAX_CODE_POINTS, ({ text }) => codePoints(text))
  const calls: ShieldCall[] = texts.map(({ text }) => ({ userPrompt: text }))
  for (const [at, batch] of batches.entries()) {
    const own = { documents: batch.map(({ text }) => text) }
    // One call carries a prompt and documents: the first ones travel together.
    if (at < texts.length) calls[at] = { ...calls[at], ...own }
    else calls.push(own)
  }
  return calls
}

async function shield(options: ContentSafetyOptions, call: ShieldCall, cross: Cross, trip: Trip): Promise<Answer> {
  const path = `/contentsafety/text:shieldPrompt?api-version=${API_VERSION}`
  const { userPromptAnalysis, documentsAnalysis } = checked(Shielded, await ask(cross, trip, options, path, call))
  if (call.userPrompt !== undefined && userPromptAnalysis === undefined) throw new NoVerdict('left out the prompt')
  if (documentsAnalysis.length < (call.documents?.length ?? 0)) throw new NoVerdict('left out a document')
  const severities = [
    ['PromptAttack', userPromptAnalysis?.attackDetected === true ? CERTAIN : 0],
    ['DocumentAttack', documentsAnalysis.some(({ attackDetected }) => attackDetected) ? CERTAIN : 0],
  ] as const
  const texts = [call.userPrompt ?? '', ...(call.documents ?? [])].filter((text) => text !== '')
  return { severities, records: texts.reduce((sum, text) => sum + recordsOf(text), 0) }
}

function checked<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer)
  if (!parsed.success) throw new NoVerdict('answered something of another shape')
  return parsed.data
}
