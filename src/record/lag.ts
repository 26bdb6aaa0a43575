import type { StageTime } from '#contract/entry.ts'

/** The stage, and with it the place, where most of the request's time went. Stages that ran side by side compete. */
export function lagOf(stages: readonly StageTime[]): {
  readonly stage: string
  readonly place: string
  readonly ms: number
} {
  let slowest: StageTime | undefined
  for (const stage of stages) if (slowest === undefined || stage.ms > slowest.ms) slowest = stage
  return slowest === undefined
    ? { ms: 0, place: '', stage: '' }
    : { ms: slowest.ms, place: slowest.place, stage: slowest.stage }
}
