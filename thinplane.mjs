#!/usr/bin/env node
// Runs under any Node >= 20 and hands over to the Node 24 that npm installed beside it: the commands are TypeScript,
// which only newer versions run as it is.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isNewEnough = major > 24 || (major === 24 && minor >= 12)

// A young generation of 8 MB instead of 16: a gateway's garbage dies young, and the smaller one halves what the process
// keeps resident under load.
const flags = process.argv[2] === 'control' ? ['--max-semi-space-size=8'] : []
const missing = flags.filter((flag) => !process.execArgv.includes(flag))

if (isNewEnough && missing.length > 0 && process.channel === undefined && process.execve !== undefined) {
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...missing, ...process.argv.slice(1)])
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
  const child = spawn(node, [...flags, ...process.argv.slice(1)], { stdio: 'inherit' })
  // The terminal sends Ctrl-C to the whole group: the child decides, this process only waits for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT') child.kill(signal)
    })
  }
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)))
}
