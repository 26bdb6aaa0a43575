import { z } from 'zod'

/** A passage as an engine gives it back, but for its vector: every engine keeps these fields by these names. */
export const StoredPassageRow = z.object({
  document: z.string(),
  title: z.string(),
  heading: z.string(),
  page: z.number(),
  record: z.number(),
  lastRecord: z.number(),
  start: z.number(),
  end: z.number(),
  text: z.string(),
  access: z.string(),
  findings: z.string(),
  rules: z.string(),
  generation: z.string(),
})

/** Names of its fields, in this order. */
export const PASSAGE_COLUMNS = StoredPassageRow.keyof().options
