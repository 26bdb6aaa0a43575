import { join } from 'node:path'
import { asText } from '#kit/json.ts'
import { type Child, startChild } from './child.ts'

/** Installs the small model when it is missing, and starts its server in a process of its own. */
export async function startLocalModel(
  root: string,
): Promise<{ readonly child: Child; readonly url: string; readonly model: string }> {
  const { ensureLocalModel } = await import('#local-model/install.ts')
  const path = await ensureLocalModel({
    folder: join(root, 'installs', 'local-model'),
    cacheDir: join(root, '.cache'),
    onProgress: (text) => void process.stderr.write(text),
  })
  const child = startChild({
    name: 'local model',
    file: join(root, 'src', 'local-model', 'main.ts'),
    args: ['--model', path],
    environment: {},
  })
  const message = await child.message(({ ready }) => ready === true)
  return { child, url: asText(message['url']) ?? '', model: 'tinyllama-1.1b-chat' }
}
