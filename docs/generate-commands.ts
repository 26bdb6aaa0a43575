import { readFile, readdir } from 'node:fs/promises'
import type { Command } from '#bin/command.ts'
import { helpOf } from '#bin/command.ts'
import { code, pageHead, table } from './generate-markdown.ts'

const BIN = new URL('../src/bin/', import.meta.url)

/** The help of every command, in the order of the command table. */
export async function commandsPage(): Promise<string> {
  const verbs = await commandTable()
  const commands: (readonly [verb: string, command: Command])[] = []
  for (const [verb, file] of verbs) commands.push([verb, await commandOf(file)])
  const lead =
    'From a clone: `npx thinplane COMMAND`. Exit status: 0 fine, 1 the answer is no, 2 the command line itself is wrong.'
  const overview = table(
    ['Command', 'What it does'],
    commands.map(([verb, { summary }]) => [`[${code(verb)}](#${verb})`, summary]),
  )
  const sections = commands.map(([verb, command]) => `## ${verb}\n\n\`\`\`\n${helpOf(verb, command)}\`\`\`\n`)
  return `${pageHead('Commands', 'src/bin/commands/', lead)}\n${overview}\n${sections.join('\n')}`
}

/** Verbs with their files, read from the table itself: importing it would run the program. */
async function commandTable(): Promise<(readonly [verb: string, file: string])[]> {
  const text = await readFile(new URL('thinplane.ts', BIN), 'utf8')
  const verbs = [...text.matchAll(/^ {2}'?([a-z-]+)'?: \(\) => import\('\.\/commands\/([a-z-]+\.ts)'\)/gm)].map(
    ([, verb = '', file = '']) => [verb, file] as const,
  )
  const listed = verbs.map(([, file]) => file).toSorted()
  const files = (await readdir(new URL('commands/', BIN))).filter((file) => !file.endsWith('.test.ts')).toSorted()
  if (listed.join() !== files.join()) {
    throw new Error(`src/bin/thinplane.ts names ${listed.join(', ')}, src/bin/commands/ holds ${files.join(', ')}`)
  }
  return verbs
}

async function commandOf(file: string): Promise<Command> {
  const module: unknown = await import(new URL(`commands/${file}`, BIN).href)
  if (typeof module !== 'object' || module === null || !('command' in module))
    throw new Error(`${file} exports no command`)
  return module.command as Command
}
