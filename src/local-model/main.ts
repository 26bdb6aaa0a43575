import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openLlama } from './llama.ts'
import { MODEL } from './model.ts'
import { startLocalModel } from './serve.ts'

/*
 * The local model in a process of its own: generating keeps a core busy, and the gateway's event loop must not feel it.
 * Started as `main.ts --model FILE [--port N] [--folder DIR]`; tells its parent `{ready: true, url}` or `{failed}`, and
 * ends with it.
 */
const INSTALLED = fileURLToPath(new URL('../../installs/local-model', import.meta.url))

try {
  await start(process.argv.slice(2))
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`local model: ${message}\n`)
  process.send?.({ failed: message })
  process.exitCode = 1
  if (process.connected) process.disconnect()
}

async function start(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { model: { type: 'string' }, port: { type: 'string' }, folder: { type: 'string' } },
  })
  if (values.model === undefined) throw new Error('name the model file with --model')
  const engine = await openLlama({ folder: values.folder ?? INSTALLED, modelPath: values.model, model: MODEL.name })
  const served = await startLocalModel({
    engine,
    port: Number(values.port ?? 0),
    onFault: (error) => process.stderr.write(`local model: ${String(error)}\n`),
  })
  process.stdout.write(`local model: ${served.url}\n`)
  process.send?.({ ready: true, url: served.url })
  const stop = (): void => {
    served.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  process.once('disconnect', stop)
}
