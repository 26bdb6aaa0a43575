import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AUDIT_PARTS, runAudit } from './audit.ts'
import { type Child, ROOT, startChild } from './child.ts'
import { runDialects } from './dialects.ts'
import { runGuard } from './guard.ts'
import { FULL_PLAN, type JourneyPlan, type Numbers, QUICK_PLAN, measureSide } from './journey.ts'
import { runIngestParse } from './ingest-parse.ts'
import { runLoad } from './load.ts'
import { OTHER_CORE, machineFacts, pinSelf, untilQuiet } from './machine.ts'
import { runMicro } from './micro.ts'
import { type BenchOptions, type Chosen, chosen, readArguments } from './options.ts'
import { ensurePeers } from './peers.ts'
import { showProfile, summariseProfiles } from './profile.ts'
import { requestsFor } from './prompt.ts'
import { type JourneyResult, type Report, type Section, markdownOf, writeReport } from './report.ts'
import { runPhysics } from './physics.ts'
import { runRetrieval } from './retrieval.ts'
import { ROUTER_PARTS, runRouter } from './router.ts'
import { runStartUp } from './start-up.ts'
import { type CloudFacts, SIDES, type Side, type SideName, type Surroundings } from './sides.ts'

/**
 * Runs the benchmark: prints the report and writes it, with all raw values beside it. See bench/README.md.
 * @throws when a name is not known, or a side that was asked for does not answer as it has to.
 */
export async function runBench(options: BenchOptions): Promise<void> {
  const choice = chosen(options)
  const workFolder = await makeWorkFolder()
  try {
    const machine = machineFacts(workFolder)
    say(
      `load average ${machine.loadAverage.join(', ')}; ${machine.isPinned ? 'pinned: under test on core 0, the rest on core 1' : `not pinned: ${machine.whyNotPinned}`}`,
    )
    if (machine.isPinned) pinSelf()
    if (options.profile === true) {
      await profileThinplane(workFolder, machine.isPinned, choice)
      return
    }
    const sections: Section[] = []
    if (choice.parts.has('micro')) {
      await quiet(choice, 'single steps')
      sections.push(await runMicro(workFolder, machine.isPinned))
    }
    if (choice.parts.has('start-up')) {
      await quiet(choice, 'start and installation')
      await inSurroundings(
        { workFolder, isPinned: machine.isPinned, profileFolder: undefined },
        async (surroundings) => {
          sections.push(await runStartUp(surroundings, choice.quick ? QUICK_STARTS : STARTS, !choice.quick))
        },
      )
    }
    for (const part of AUDIT_PARTS) {
      if (!choice.parts.has(part)) continue
      await quiet(choice, part)
      sections.push(await runAudit(part, workFolder, choice.quick))
    }
    if (choice.parts.has('dialects')) {
      const why = await ensurePeers(say)
      if (why !== '') say(`without Portkey: ${why}`)
      await quiet(choice, 'dialects')
      await inSurroundings(
        { workFolder, isPinned: machine.isPinned, profileFolder: undefined },
        async (surroundings) => {
          sections.push(await runDialects(surroundings, choice.quick))
        },
      )
    }
    for (const part of ROUTER_PARTS) {
      if (!choice.parts.has(part)) continue
      await quiet(choice, part)
      await inSurroundings(
        { workFolder, isPinned: machine.isPinned, profileFolder: undefined },
        async (surroundings) => {
          sections.push(...(await runRouter(part, surroundings, choice.quick)))
        },
      )
    }
    if (choice.parts.has('ingest-parse')) {
      await quiet(choice, 'parsing of documents')
      sections.push(await runIngestParse(choice.quick))
    }
    if (choice.parts.has('retrieval')) {
      await quiet(choice, 'retrieval')
      sections.push(await runRetrieval(workFolder, machine.isPinned, choice.quick))
    }
    if (choice.parts.has('physics')) {
      await quiet(choice, 'distance')
      sections.push(await runPhysics(workFolder, machine.isPinned, choice.quick))
    }
    if (choice.parts.has('guard')) sections.push(await runGuard(choice.data))
    const journey = choice.parts.has('journey') ? await runJourney(choice, workFolder, machine.isPinned) : undefined
    const report: Report = { date: today(), machine, command: commandLine(), note: choice.note, journey, sections }
    const file = choice.out ?? join(ROOT, 'bench/results', `${report.date}-${nameOf(choice)}.md`)
    await writeReport(file, report)
    process.stdout.write(`${markdownOf(report)}\nwritten to ${file}\n`)
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
}

/** Inside the clone rather than in a temporary folder, which may be memory: the audit trail is synced to it. */
async function makeWorkFolder(): Promise<string> {
  const parent = join(ROOT, '.thinplane/bench')
  await mkdir(parent, { recursive: true })
  return mkdtemp(join(parent, 'run-'))
}

async function runJourney(choice: Chosen, workFolder: string, isPinned: boolean): Promise<JourneyResult> {
  const skipped: Partial<Record<SideName, string>> = {}
  if (choice.sides.has('portkey')) {
    const why = await ensurePeers(say)
    if (why !== '') skipped.portkey = why
  }
  const sides = SIDES.filter(({ name }) => choice.sides.has(name) && skipped[name] === undefined)
  const rounds: Partial<Record<SideName, Numbers[]>> = {}
  await inSurroundings({ workFolder, isPinned, profileFolder: undefined }, async (surroundings) => {
    for (let round = 1; round <= choice.rounds; round += 1) {
      // Whatever drifts on the machine in the meantime meets each side from both directions.
      for (const side of round % 2 === 1 ? sides : sides.toReversed()) {
        const busy = await untilQuiet(choice.quick ? QUICK_WAIT_MS : WAIT_MS)
        say(
          `round ${round} of ${choice.rounds}: ${side.name} (${(busy * 100).toFixed(0)} % of the machine busy before)`,
        )
        const numbers = await measureSide(side, surroundings, choice.quick ? QUICK_PLAN : FULL_PLAN)
        ;(rounds[side.name] ??= []).push(numbers)
      }
    }
  })
  return { rounds, skipped }
}

/** How long a measurement waits for others to leave the machine alone. */
const WAIT_MS = 120_000
const QUICK_WAIT_MS = 20_000
const STARTS = 7
const QUICK_STARTS = 2

async function quiet(choice: Chosen, what: string): Promise<void> {
  const busy = await untilQuiet(choice.quick ? QUICK_WAIT_MS : WAIT_MS)
  say(`${what} (${(busy * 100).toFixed(0)} % of the machine busy before)`)
}

/** Starts the upstream and the simulated clouds, and stops them at the end. */
async function inSurroundings(
  given: Pick<Surroundings, 'workFolder' | 'isPinned' | 'profileFolder'>,
  run: (surroundings: Surroundings) => Promise<void>,
): Promise<void> {
  const core = given.isPinned ? OTHER_CORE : undefined
  const started: Child[] = []
  try {
    const upstream = await startChild({
      name: 'the upstream',
      args: ['bench/upstream.ts'],
      core,
      ready: /upstream: (http:\S+)\n/,
    })
    started.push(upstream)
    const clouds = await startChild({
      name: 'the simulated clouds',
      args: ['bench/clouds.ts'],
      core,
      ready: /clouds: (\{.*\})\n/,
    })
    started.push(clouds)
    await run({ ...given, upstreamUrl: upstream.url, clouds: JSON.parse(clouds.url) as CloudFacts })
  } finally {
    await Promise.all(started.map((child) => child.stop()))
  }
}

const PROFILED: readonly { readonly title: string; readonly isStream: boolean }[] = [
  { title: 'whole answers, 32 connections', isStream: false },
  { title: 'streams, 32 connections', isStream: true },
]

/** A process for each kind of request. */
async function profileThinplane(workFolder: string, isPinned: boolean, choice: Chosen): Promise<void> {
  const side = SIDES.find(
    ({ name }) => name === (choice.sides.size <= 2 && choice.sides.has('full') ? 'full' : 'thinplane'),
  )
  const plan = choice.quick ? QUICK_PLAN : FULL_PLAN
  for (const { title, isStream } of PROFILED) {
    const profileFolder = await mkdtemp(join(workFolder, 'profile-'))
    await inSurroundings({ workFolder, isPinned, profileFolder }, (surroundings) =>
      loadOnce(side, surroundings, isStream, plan),
    )
    process.stdout.write(`${showProfile(title, await summariseProfiles(profileFolder))}\n\n`)
  }
}

async function loadOnce(
  side: Side | undefined,
  surroundings: Surroundings,
  isStream: boolean,
  plan: JourneyPlan,
): Promise<void> {
  if (side === undefined) return
  const running = await side.start(surroundings)
  try {
    const requests = requestsFor(
      running.address,
      { isStream, hasPersonalData: true, bytes: side.promptBytes },
      side.variants,
      1,
    )
    const { requestsPerS, failures } = await runLoad({
      url: running.address.url,
      requests,
      connections: side.connections,
      durationMs: plan.loadMs * 4,
      isStream,
    })
    say(
      `${requestsPerS.toFixed(0)} requests/s under the profiler${Object.keys(failures).length > 0 ? `, failures ${JSON.stringify(failures)}` : ''}`,
    )
  } finally {
    await running.stop()
  }
}

function nameOf({ quick, parts, sides }: Chosen): string {
  const what =
    parts.size === 3
      ? 'all'
      : parts.has('journey')
        ? sides.size === SIDES.length
          ? 'journey'
          : [...sides].filter((side) => side !== 'direct').join('-')
        : [...parts].join('-')
  return quick ? `${what}-quick` : what
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

/** How this was called; where the labelled texts lie is nobody's business. */
function commandLine(): string {
  const words = process.argv.slice(2).filter((word) => word !== 'bench')
  return ['node', 'bench/run.ts', ...words.map((word, at) => (words[at - 1] === '--data' ? 'DIR' : word))].join(' ')
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

if (import.meta.main) {
  try {
    await runBench(readArguments(process.argv.slice(2)))
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
