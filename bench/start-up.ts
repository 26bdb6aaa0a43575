import { spawn } from 'node:child_process'
import { cp, lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from './child.ts'
import { processRssMb } from './machine.ts'
import { median } from './quantiles.ts'
import type { Section } from './report.ts'
import { SIDES, type Surroundings, untilOk } from './sides.ts'

/** How long the gateway takes to be ready, what it holds when it idles, and what installing takes. */
export interface StartUpNumbers {
  /** Milliseconds from the start of the process to the first 200 of `/readyz`; the first one has no compile cache. */
  readonly readyMs: readonly number[]
  readonly idleRssMb: readonly number[]
  readonly installs: readonly InstallNumbers[]
}

interface InstallNumbers {
  readonly command: string
  readonly seconds: number
  readonly megabytes: number
  readonly packages: number
  /** Why there are no numbers; empty when there are. */
  readonly problem: string
}

const IDLE_MS = 2000

/** Measures `count` starts; the installs too, unless they are left out. */
export async function runStartUp(surroundings: Surroundings, count: number, withInstalls: boolean): Promise<Section> {
  const gateway = SIDES.find(({ name }) => name === 'thinplane')
  const readyMs: number[] = []
  const idleRssMb: number[] = []
  for (let at = 0; gateway !== undefined && at < count; at += 1) {
    const started = performance.now()
    const running = await gateway.start(surroundings)
    await untilOk(`${running.address.url}/readyz`)
    readyMs.push(performance.now() - started)
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    if (running.pid !== undefined) idleRssMb.push(processRssMb(running.pid).nowMb)
    await running.stop()
  }
  const installs: InstallNumbers[] = []
  if (withInstalls)
    for (const command of INSTALLS) installs.push(await measureInstall(command, surroundings.workFolder))
  const numbers: StartUpNumbers = { readyMs, idleRssMb, installs }
  return { name: 'start-up', markdown: markdownOf(numbers), numbers }
}

const INSTALLS = ['npm ci --omit=dev --workspaces=false', 'npm ci'] as const

/** In a copy of what npm reads: the clone's own packages stay as they are. */
async function measureInstall(command: (typeof INSTALLS)[number], workFolder: string): Promise<InstallNumbers> {
  const folder = await mkdtemp(join(workFolder, 'install-'))
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) await cp(join(ROOT, file), join(folder, file))
  await mkdir(join(folder, 'installs/data'), { recursive: true })
  await cp(join(ROOT, 'installs/data/package.json'), join(folder, 'installs/data/package.json'))
  const started = performance.now()
  const problem = await run(command, folder)
  const seconds = (performance.now() - started) / 1000
  const { bytes, packages } = await measureFolder(join(folder, 'node_modules'))
  await rm(folder, { recursive: true, force: true })
  return { command, seconds, megabytes: bytes / 1e6, packages, problem }
}

/** @returns why it failed; empty when it did not. */
function run(command: string, cwd: string): Promise<string> {
  const [name = '', ...args] = command.split(' ')
  return new Promise((resolve) => {
    const child = spawn(name, args, {
      cwd,
      env: { ...process.env, NODE_ENV: undefined },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let complaint = ''
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(0, 500)
    })
    child.once('error', ({ message }) => resolve(message))
    child.once('close', (code) =>
      resolve(code === 0 ? '' : `ended with status ${code ?? 'none'}: ${complaint.trim().split('\n')[0] ?? ''}`),
    )
  })
}

async function measureFolder(folder: string): Promise<{ readonly bytes: number; readonly packages: number }> {
  let bytes = 0
  let packages = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue
    if (entry.name === 'package.json' && /node_modules\/(?:@[^/]+\/)?[^/]+$/.test(entry.parentPath)) packages += 1
    bytes += (await lstat(join(entry.parentPath, entry.name))).size
  }
  return { bytes, packages }
}

function markdownOf({ readyMs, idleRssMb, installs }: StartUpNumbers): string {
  const list = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(', ')
  const rows = [
    `| from the start of the gateway to \`/readyz\`, ms | ${median(readyMs).toFixed(0)} | ${list(readyMs)} |`,
    `| resident MB, idle for ${IDLE_MS / 1000} s | ${median(idleRssMb).toFixed(0)} | ${list(idleRssMb)} |`,
  ]
  const installRows = installs.map(({ command, seconds, megabytes, packages, problem }) =>
    problem === ''
      ? `| \`${command}\` | ${seconds.toFixed(1)} s, ${packages} packages | ${megabytes.toFixed(0)} MB |`
      : `| \`${command}\` | failed | ${problem} |`,
  )
  return [
    '## Start and installation',
    '',
    '| number | median | values |',
    '| --- | ---: | --- |',
    ...rows,
    ...(installs.length === 0
      ? []
      : [
          '',
          'With whatever npm has in its cache already:',
          '',
          '| command | time | size |',
          '| --- | ---: | ---: |',
          ...installRows,
        ]),
  ].join('\n')
}
