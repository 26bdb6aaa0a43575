import { z } from 'zod'
import type { Cross } from '#contract/crossing.ts'
import { codePoints, piecesOf } from './pieces.ts'
import { type AnswerService, NoVerdict, type ServiceAccess, ask, recordsOf } from './service.ts'

/** GA version whose shape is checked here. */
const API_VERSION = '2024-09-01'
/** The service's limits of one text, in code points. What is shorter is no work of anybody's by its measure. */
const MAX_CODE_POINTS = 10_000
const MIN_CODE_POINTS = 110
const OVERLAP = 400

const Answer = z.object({ protectedMaterialAnalysis: z.object({ detected: z.boolean() }) })

/** Azure AI Content Safety, `text:detectProtectedMaterial`: song texts, articles, recipes that are known to it. English. */
export function protectedMaterial(access: ServiceAccess, cross: Cross): AnswerService {
  const { place, usdPerThousandRecords } = access
  const path = `/contentsafety/text:detectProtectedMaterial?api-version=${API_VERSION}`
  return {
    name: 'protected-material',
    place,
    usdPerThousandRecords,
    judge: async (text, trip) => {
      const pieces = piecesOf(text, MAX_CODE_POINTS, OVERLAP).filter(
        (piece) => codePoints(piece.text) >= MIN_CODE_POINTS,
      )
      const detected = await Promise.all(
        pieces.map(async (piece) => {
          const parsed = Answer.safeParse(await ask(cross, trip, access, path, { text: piece.text }))
          if (!parsed.success) throw new NoVerdict('answered something of another shape')
          return parsed.data.protectedMaterialAnalysis.detected
        }),
      )
      return {
        isFound: detected.includes(true),
        records: pieces.reduce((sum, piece) => sum + recordsOf(piece.text), 0),
      }
    },
  }
}
