import { createHash, randomUUID } from 'node:crypto'
import { AwsProblem } from '#simclouds/aws-json.ts'

/** What a job does, and how long it takes. */
export interface JobDefinition {
  /** Called when the run has had its time. What it throws makes the run fail, with that message. */
  readonly run: (args: Readonly<Record<string, string>>) => void | Promise<void>
  /** Until it runs, in milliseconds. Default 0. */
  readonly startMs?: number
  /** How long it then runs, in milliseconds. Default 0. */
  readonly runMs?: number
  /** Runs at the same time. Default 1. */
  readonly maxConcurrentRuns?: number
}

type JobState = 'STARTING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED'

export interface JobRun {
  readonly id: string
  readonly jobName: string
  readonly attempt: number
  readonly previousRunId: string | undefined
  readonly arguments: Readonly<Record<string, string>>
  readonly startedEpochMs: number
  state: JobState
  completedEpochMs: number | undefined
  errorMessage: string | undefined
}

/** The jobs of the account, and their runs. */
export class GlueJobs {
  readonly #jobs = new Map<string, JobDefinition>()
  readonly #runs: JobRun[] = []
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Makes a job, or replaces what it does from the next run on. */
  onJob(name: string, definition: JobDefinition): void {
    this.#jobs.set(name, definition)
  }

  /** @throws {AwsProblem} EntityNotFoundException, or ConcurrentRunsExceededException. */
  start(jobName: string, args: Readonly<Record<string, string>>, previousRunId?: string): JobRun {
    const job = this.#job(jobName)
    const active = this.#runs.filter((run) => run.jobName === jobName && run.completedEpochMs === undefined)
    if (active.length >= (job.maxConcurrentRuns ?? 1))
      throw new AwsProblem('ConcurrentRunsExceededException', `Concurrent runs exceeded for ${jobName}`)
    const previous = previousRunId === undefined ? undefined : this.run(jobName, previousRunId)
    const run: JobRun = {
      id: `jr_${createHash('sha256').update(randomUUID()).digest('hex')}`,
      jobName,
      attempt: previous === undefined ? 0 : previous.attempt + 1,
      previousRunId,
      arguments: previous === undefined ? args : { ...previous.arguments, ...args },
      startedEpochMs: Date.now(),
      state: 'STARTING',
      completedEpochMs: undefined,
      errorMessage: undefined,
    }
    this.#runs.push(run)
    this.#later(job.startMs ?? 0, () => {
      run.state = 'RUNNING'
      this.#later(job.runMs ?? 0, () => void finish(run, job))
    })
    return run
  }

  /** @throws {AwsProblem} EntityNotFoundException. */
  run(jobName: string, id: string): JobRun {
    this.#job(jobName)
    const run = this.#runs.find((each) => each.jobName === jobName && each.id === id)
    if (run === undefined)
      throw new AwsProblem('EntityNotFoundException', `Job run ${id} for job ${jobName} not found.`)
    return run
  }

  /** Newest first. @throws {AwsProblem} EntityNotFoundException. */
  runs(jobName: string): readonly JobRun[] {
    this.#job(jobName)
    return this.#runs.filter((run) => run.jobName === jobName).toReversed()
  }

  /** No run goes on. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #job(name: string): JobDefinition {
    const job = this.#jobs.get(name)
    if (job === undefined)
      throw new AwsProblem(
        'EntityNotFoundException',
        `Failed to start job run due to missing metadata. Job ${name} not found.`,
      )
    return job
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }
}

async function finish(run: JobRun, job: JobDefinition): Promise<void> {
  try {
    await job.run(run.arguments)
    run.state = 'SUCCEEDED'
  } catch (error) {
    run.state = 'FAILED'
    run.errorMessage = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
  run.completedEpochMs = Date.now()
}
