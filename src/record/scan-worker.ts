import { parentPort } from 'node:worker_threads'
import { scanSegment } from './segment.ts'

/** Scans segments for `scanTrail`: a path comes in, its scan goes out. */
parentPort?.on('message', (path: string) => {
  try {
    const { entries, tornBytes, bad, leaves } = scanSegment(path)
    parentPort?.postMessage({ entries, tornBytes, bad, leaves: new Uint8Array(leaves) })
  } catch (error) {
    parentPort?.postMessage({ failed: error instanceof Error ? error.message : String(error) })
  }
})
