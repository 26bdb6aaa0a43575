/** Runs the ledger in a file: waiting for the disk, or for another process, holds up no request. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type { ExchangeReply, ExchangeRequest } from './exchange.ts'
import { type SqliteLedger, openSqliteLedger } from './sqlite.ts'

/** What the worker answers. */
export type SqliteReply = { readonly reply: ExchangeReply } | { readonly failure: string }

const path = String(workerData)
let ledger: SqliteLedger | undefined

async function answer(request: ExchangeRequest | 'close'): Promise<SqliteReply | 'closed'> {
  try {
    if (request === 'close') {
      ledger?.close()
      return 'closed'
    }
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    ledger ??= openSqliteLedger(path)
    return { reply: await ledger.exchange(request) }
  } catch (error) {
    return { failure: `${path}: ${error instanceof Error ? error.message : String(error)}` }
  }
}

parentPort?.on('message', (request: ExchangeRequest | 'close') => {
  void answer(request).then((said) => parentPort?.postMessage(said))
})
