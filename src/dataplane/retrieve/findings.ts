import { z } from 'zod'

const Findings = z.array(
  z.object({ type: z.string(), start: z.number(), end: z.number(), score: z.number(), detector: z.string() }),
)

/** Findings as the index keeps them: JSON. */
export const FindingsJson = {
  parse: (json: string): z.infer<typeof Findings> => (json === '[]' ? [] : Findings.parse(JSON.parse(json))),
}
