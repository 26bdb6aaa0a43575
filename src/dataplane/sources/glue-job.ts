import { setTimeout as wait } from 'node:timers/promises'
import { awsErrorName } from '#dataplane/aws/aws.ts'
import type { Aws } from '#dataplane/aws/aws.ts'
import { loadPackage } from '#dataplane/heavy.ts'

/** A Glue job that makes what is ingested. */
export interface GlueJob {
  readonly name: string
  readonly arguments: Readonly<Record<string, string>>
  /** A run that takes longer counts as failed; it is not stopped. */
  readonly timeoutMs: number
  /** Between two looks at a run: the first, and the longest. Default 1 and 30 seconds. */
  readonly pollMs?: readonly [number, number]
}

const POLL_MS = [1000, 30_000] as const
const MAX_MESSAGE_CHARS = 300
const RUNNING = new Set(['STARTING', 'RUNNING', 'STOPPING', 'WAITING'])

/**
 * Starts a run and waits for its end.
 *
 * @throws when the job can not be started, fails, or takes too long; the message says what Glue says.
 */
export async function runGlueJob(aws: Aws, job: GlueJob, signal: AbortSignal): Promise<void> {
  const { GetJobRunCommand, StartJobRunCommand } = await loadPackage(
    '@aws-sdk/client-glue',
    () => import('@aws-sdk/client-glue'),
  )
  const client = await aws.glue()
  const startedMs = performance.now()
  const { JobRunId: id } = await client
    .send(new StartJobRunCommand({ JobName: job.name, Arguments: { ...job.arguments } }), { abortSignal: signal })
    .catch((error: unknown) => {
      throw new Error(`the Glue job \`${job.name}\` can not be started (${awsErrorName(error)})`, { cause: error })
    })
  const [first, longest] = job.pollMs ?? POLL_MS
  for (let pauseMs = first; ; pauseMs = Math.min(pauseMs * 2, longest)) {
    await wait(pauseMs, undefined, { signal })
    const answer = await client.send(new GetJobRunCommand({ JobName: job.name, RunId: id }), { abortSignal: signal })
    const { JobRunState: state = 'UNKNOWN', ErrorMessage: message = '' } = answer.JobRun ?? {}
    if (state === 'SUCCEEDED') return
    if (!RUNNING.has(state)) {
      const why = message === '' ? '' : `: ${message.slice(0, MAX_MESSAGE_CHARS)}`
      throw new Error(`the Glue job \`${job.name}\` ended with ${state} (run ${id})${why}`)
    }
    if (performance.now() - startedMs > job.timeoutMs)
      throw new Error(
        `the Glue job \`${job.name}\` did not end within ${Math.round(job.timeoutMs / 60_000)} minutes (run ${id})`,
      )
  }
}
