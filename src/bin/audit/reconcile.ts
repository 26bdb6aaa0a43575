import { resolve } from 'node:path'
import { beginNewLog, reconcileFrom, trailState } from '#record/reconcile.ts'
import { trailPaths } from '#record/signed.ts'
import { readTrailKey } from '#record/trail-key.ts'
import { type Given, WrongUsage } from '#bin/command.ts'

/** `audit reconcile`: what to do when the log is not what was signed. */
export async function reconcile(given: Given): Promise<number> {
  const data = resolve(given.text('data') ?? '.thinplane')
  const [from, reason, isNew] = [given.text('from'), given.text('reason'), given.flag('new-log')]
  if (isNew && from !== undefined) throw new WrongUsage('choose --from DIR or --new-log, not both')
  if (isNew && (reason ?? '') === '') throw new WrongUsage('say why with --reason TEXT: it stands in the new log')
  const key = await readTrailKey(trailPaths(data).key)
  if (key === undefined)
    throw new Error(
      `there is no signing key in ${data}: put audit.key back from a backup, or name the folder with --data`,
    )
  if (from !== undefined) {
    const appended = await reconcileFrom(data, key, from)
    process.stdout.write(`${appended} entries were appended from ${from}\n`)
  }
  if (isNew) {
    const { origin, archive } = await beginNewLog(data, key, reason ?? '')
    process.stdout.write(`the old log is in ${archive}; the new one is ${origin}: give its key to the witnesses\n`)
    return 0
  }
  const state = await trailState(data, key)
  if (given.flag('json')) process.stdout.write(`${JSON.stringify(state)}\n`)
  else
    process.stdout.write(
      `${state.origin}: ${state.entries} entries, ${state.signedSize} signed\n${advice(state.problem)}`,
    )
  return state.problem === '' ? 0 : 1
}

function advice(problem: string): string {
  if (problem === '')
    return 'the log is what was signed as far as this folder knows; a witness that knows more says so when the plane starts\n'
  return [
    `it can not be continued: ${problem}`,
    'with another copy of the log:  thinplane audit reconcile --from DIR',
    'without one:                   thinplane audit reconcile --new-log --reason TEXT',
    '',
  ].join('\n')
}
