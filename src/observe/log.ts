export type Level = 'info' | 'warn' | 'error'

export interface Log {
  info(message: string, facts?: Facts): void
  warn(message: string, facts?: Facts): void
  error(message: string, facts?: Facts): void
}

/** Names, numbers and codes; never texts of requests. */
export type Facts = Readonly<Record<string, string | number | boolean>>

const ORDER: Readonly<Record<Level, number>> = { info: 0, warn: 1, error: 2 }

/** One JSON object a line, to `write` (default: standard error). */
export function createLog(
  level: Level,
  write: (line: string) => void = (line) => void process.stderr.write(line),
): Log {
  const at =
    (own: Level) =>
    (message: string, facts: Facts = {}): void => {
      if (ORDER[own] < ORDER[level]) return
      write(`${JSON.stringify({ at: new Date().toISOString(), level: own, message, ...facts })}\n`)
    }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

/** An error's name, message and stack without the values that a message of ours never holds anyway. */
export function errorFacts(error: unknown): Facts {
  if (!(error instanceof Error)) return { error: typeof error }
  const cause = error.cause instanceof Error ? { cause: `${error.cause.name}: ${error.cause.message}` } : {}
  return {
    error: `${error.name}: ${error.message}`,
    stack: (error.stack ?? '').split('\n').slice(1, 6).join(' | ').trim(),
    ...cause,
  }
}
