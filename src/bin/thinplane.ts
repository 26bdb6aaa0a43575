import { type Command, WrongUsage, helpOf, parseGiven } from './command.ts'

/** Loaded when asked for: a gateway does not load the data plane's code. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  up: () => import('./commands/up.ts'),
  control: () => import('./commands/control.ts'),
  data: () => import('./commands/data.ts'),
  check: () => import('./commands/check.ts'),
  doctor: () => import('./commands/doctor.ts'),
  guard: () => import('./commands/guard.ts'),
  ingest: () => import('./commands/ingest.ts'),
  eval: () => import('./commands/eval.ts'),
  audit: () => import('./commands/audit.ts'),
  policy: () => import('./commands/policy.ts'),
  keys: () => import('./commands/keys.ts'),
  deny: () => import('./commands/deny.ts'),
  targets: () => import('./commands/targets.ts'),
  warm: () => import('./commands/warm.ts'),
  bench: () => import('./commands/bench.ts'),
  simclouds: () => import('./commands/simclouds.ts'),
}

/** Named by the design, built by later issues. */
const NOT_YET = new Set(['plan', 'advise', 'simulate'])

async function main([verb, ...args]: readonly string[]): Promise<number> {
  if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
    process.stdout.write(await overview())
    return verb === undefined ? 2 : 0
  }
  const load = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined
  if (load === undefined) {
    const why = NOT_YET.has(verb) ? `\`${verb}\` is planned and not built yet` : `there is no command \`${verb}\``
    process.stderr.write(`thinplane: ${why}, \`thinplane --help\` lists what there is\n`)
    return 2
  }
  const { command } = await load()
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpOf(verb, command))
    return 0
  }
  try {
    return await command.run(parseGiven(command, args))
  } catch (error) {
    if (error instanceof WrongUsage) {
      process.stderr.write(`thinplane ${verb}: ${error.message}, see \`thinplane ${verb} --help\`\n`)
      return 2
    }
    process.stderr.write(`thinplane ${verb}: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function overview(): Promise<string> {
  const rows = await Promise.all(
    Object.entries(COMMANDS).map(async ([verb, load]) => `  ${verb.padEnd(10)} ${(await load()).command.summary}`),
  )
  return `thinplane: one endpoint over three clouds\n\nUsage: thinplane COMMAND [options]\n\n${rows.join('\n')}\n\nEvery command takes --help.\n`
}

// Whoever reads less than everything (`| head`) has what they wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await main(process.argv.slice(2))
// The channel to a parent process would keep this one alive.
if (process.connected) process.disconnect()
