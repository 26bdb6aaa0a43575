import { createServer } from 'node:http'
import type { Place } from '#contract/place.ts'
import { type CloudRunState, cloudRun } from './cloud-run.ts'
import { FaultBook } from './faults.ts'
import { behindIam } from './google-id-tokens.ts'
import { closeAll, listen } from './listen.ts'
import { CLOUD_RUN, type CloudRunOptions } from './options.ts'
import { RequestLog } from './request-log.ts'
import { serve } from './serve.ts'

export interface StartCloudRunOptions extends Partial<CloudRunOptions> {
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Default 0: any free one. */
  readonly port?: number
  /** Default gcp:us-east4. */
  readonly place?: Place
  /** Simulated round trip between the callers and the service, in milliseconds of the wall. Default 0. */
  readonly roundTripMs?: number
  /** Requests kept. Default 200. */
  readonly logSize?: number
}

/** One simulated Cloud Run service while it runs. */
export interface RunningCloudRun {
  /** Without a slash at the end. */
  readonly url: string
  readonly place: Place
  /** What goes wrong from now on: faults of the service `cloud-run`. */
  readonly faults: FaultBook
  /** What it received, under the name `cloud-run`. */
  readonly requests: RequestLog
  stats(): CloudRunState
  /** Cuts every connection and stops listening. */
  close(): Promise<void>
}

/** Starts one more Cloud Run service, on a port of its own: several of them are a pool. */
export async function startCloudRun(options: StartCloudRunOptions = {}): Promise<RunningCloudRun> {
  const { host = '127.0.0.1', port = 0, roundTripMs = 0, logSize = 200, ...given } = options
  const place = options.place ?? { cloud: 'gcp', region: 'us-east4' }
  const settings = { ...CLOUD_RUN, ...given }
  const faults = new FaultBook()
  const requests = new RequestLog(logSize)
  const server = createServer()
  const url = await listen(server, host, port)
  const service = cloudRun(place, settings)
  const { idToken } = settings
  const guarded = idToken === undefined ? service : behindIam(service, { audience: url, ...idToken })
  serve(server, guarded, { book: faults, log: requests, roundTripMs })
  return { url, place, faults, requests, stats: service.state, close: () => closeAll([server]) }
}
