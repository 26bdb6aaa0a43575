import { z } from 'zod'
import { parseJson } from '#kit/json.ts'
import { openLlama } from './llama.ts'
import { MODEL } from './model.ts'
import { startLocalModel } from './serve.ts'

/*
 * The local model in a process of its own: generating keeps a core busy, and the gateway's event loop must not feel it.
 * Started as `main.ts <options in JSON>`; tells its parent `{ready: true, url}` or `{failed}`, and ends with it.
 */
const Options = z.strictObject({
  /** `installs/local-model`. */
  folder: z.string(),
  modelPath: z.string(),
  port: z.int().min(0).max(65_535).optional(),
  contextTokens: z.int().min(256).max(2048).optional(),
})

try {
  await start(Options.parse(parseJson(process.argv[2] ?? '')))
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`local model: ${message}\n`)
  process.send?.({ failed: message })
  process.exitCode = 1
  if (process.connected) process.disconnect()
}

async function start({ folder, modelPath, port, contextTokens }: z.infer<typeof Options>): Promise<void> {
  const engine = await openLlama({ folder, modelPath, model: MODEL.name, contextTokens })
  const served = await startLocalModel({
    engine,
    port,
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
