#!/usr/bin/env node
// Runs under any Node >= 20 and hands over to the Node 24 that npm installed beside it: the commands are TypeScript,
// which only newer versions run as it is.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isNewEnough = major > 24 || (major === 24 && minor >= 12)

// How a gateway's process is tuned, and why: docs/decisions/2026-11-25-a-gateway-in-200-mb.md.
const runtime = /** @type {{ flags: string[], environment: Record<string, string> }} */ (
  JSON.parse(readFileSync(new URL('src/bin/gateway-runtime.json', import.meta.url), 'utf8'))
)
const isGateway = process.argv[2] === 'control'
const flags = isGateway ? runtime.flags : []
const environment = isGateway ? { ...runtime.environment, ...process.env } : process.env
const missing = flags.filter((flag) => !process.execArgv.includes(flag))

if (isNewEnough && missing.length > 0 && process.channel === undefined && process.execve !== undefined) {
  process.execve(
    process.execPath,
    [process.execPath, ...process.execArgv, ...missing, ...process.argv.slice(1)],
    environment,
  )
} else if (isNewEnough) {
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  await import('./src/bin/thinplane.ts')
} else {
  const node = fileURLToPath(new URL('node_modules/node/bin/node', import.meta.url))
  if (!existsSync(node)) {
    process.stderr.write(
      `thinplane needs Node 24.12 or newer, this is ${process.versions.node}: run \`npm ci\` in its folder, which brings one along\n`,
    )
    process.exit(2)
  }
  const child = spawn(node, [...flags, ...process.argv.slice(1)], { stdio: 'inherit', env: environment })
  // The terminal sends Ctrl-C to the whole group: the child decides, this process only waits for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT') child.kill(signal)
    })
  }
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)))
}
