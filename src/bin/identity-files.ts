import { isAbsolute, join } from 'node:path'
import { type LoadedConfig, loadConfig } from '#config/load.ts'
import { type Given, WrongUsage } from './command.ts'
import type { IdentityFiles } from './identity-stores.ts'

/** Where keys and the deny list of a configuration are. */
export function identityFiles({ config, resolve }: LoadedConfig): IdentityFiles {
  const inData = (file: string): string => (isAbsolute(file) ? file : join(resolve(config.data), file))
  return { keysFile: inData(config.identity.keysFile), deniedFile: inData(config.identity.deniedFile) }
}

/** The same for a command: by `--config`, or in the data folder of `--data`. */
export async function filesOf(given: Given): Promise<IdentityFiles & { readonly usedFile: string }> {
  const [file, data] = [given.text('config'), given.text('data')]
  if (file !== undefined && data !== undefined) throw new WrongUsage('name --config or --data, not both')
  if (file !== undefined) {
    const loaded = await loadConfig(file)
    return { ...identityFiles(loaded), usedFile: join(loaded.resolve(loaded.config.data), 'keys-used.json') }
  }
  const folder = data ?? '.thinplane'
  return {
    keysFile: join(folder, 'keys.json'),
    deniedFile: join(folder, 'denied.json'),
    usedFile: join(folder, 'keys-used.json'),
  }
}
