import { spawn } from 'node:child_process'
import { ROOT } from './child.ts'
import { hasPeers } from './sides.ts'

/** Brings the peers here when they are missing. @returns why they can not be compared with; empty when they can. */
export async function ensurePeers(say: (text: string) => void): Promise<string> {
  if (hasPeers()) return ''
  say('installing the peers (npm ci --prefix bench/peers --ignore-scripts) ...')
  const { status, complaint } = await npmCi()
  if (status === 0 && hasPeers()) return ''
  return `the peers can not be installed (npm ended with ${status}${complaint === '' ? '' : `: ${complaint}`})`
}

function npmCi(): Promise<{ readonly status: number; readonly complaint: string }> {
  return new Promise((resolve) => {
    const child = spawn('npm', ['ci', '--prefix', 'bench/peers', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let text = ''
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.once('error', ({ message }) => resolve({ status: -1, complaint: message }))
    child.once('close', (code) =>
      resolve({ status: code ?? -1, complaint: text.split('\n').find((line) => line.includes('error')) ?? '' }),
    )
  })
}
