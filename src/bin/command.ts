import { parseArgs } from 'node:util'

/** One verb of the command line. Each file of bin/commands/ makes one. */
export interface Command {
  readonly summary: string
  /** Lines of `--help` behind the summary. */
  readonly usage: string
  readonly options: Options
  /** Whether words beside options are taken. */
  readonly takesWords?: boolean
  /** @returns the exit status: 0 fine, 1 the answer is no. */
  readonly run: (given: Given) => Promise<number>
}

export type Options = Readonly<
  Record<
    string,
    { readonly type: 'string' | 'boolean'; readonly short?: string; readonly help: string; readonly value?: string }
  >
>

export interface Given {
  readonly words: readonly string[]
  /** The text of an option, or undefined. */
  readonly text: (name: string) => string | undefined
  readonly flag: (name: string) => boolean
  /** A whole number in a range. @throws {WrongUsage} */
  readonly number: (name: string, min: number, max: number) => number | undefined
}

/** The command line itself is wrong: exit status 2. */
export class WrongUsage extends Error {}

/** @throws {WrongUsage} with what to write instead. */
export function parseGiven(command: Command, args: readonly string[]): Given {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  )
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: command.takesWords === true, strict: true })
  } catch (error) {
    throw new WrongUsage(error instanceof Error ? error.message.split('. ')[0] : String(error))
  }
  const text = (name: string): string | undefined => {
    const value = parsed.values[name]
    return typeof value === 'string' ? value : undefined
  }
  return {
    words: parsed.positionals,
    text,
    flag: (name) => parsed.values[name] === true,
    number: (name, min, max) => {
      const value = text(name)
      if (value === undefined) return undefined
      const number = Number(value)
      if (!/^\d+$/.test(value) || number < min || number > max)
        throw new WrongUsage(`--${name} takes a whole number from ${min} to ${max}`)
      return number
    },
  }
}

export function helpOf(verb: string, { summary, usage, options }: Command): string {
  const all: Options = { ...options, help: { type: 'boolean', short: 'h', help: 'show this' } }
  const rows = Object.entries(all).map(([name, option]) => {
    const value = option.value === undefined ? '' : ` ${option.value}`
    return [`  --${name}${value}${option.short === undefined ? '' : `, -${option.short}`}`, option.help] as const
  })
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return `${summary}\n\nUsage: thinplane ${verb} ${usage}\n\nOptions:\n${rows.map(([left, right]) => `${left.padEnd(width)}${right}`).join('\n')}\n`
}
