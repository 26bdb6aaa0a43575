import { type BenchOptions } from '#bench/options.ts'
import { runBench } from '#bench/run.ts'
import { type Command } from '#bin/command.ts'

/** Rounds beyond this only heat the machine. */
const MAX_ROUNDS = 50

export const command: Command = {
  summary: 'run the benchmark suite, peers included where they are installed',
  takesWords: true,
  usage: '[PART…] [--quick] [--only NAMES] [--rounds N] [--out FILE] [--profile]',
  options: {
    quick: { type: 'boolean', help: 'everything once and short: to see that it works, not to quote' },
    only: {
      type: 'string',
      value: 'NAMES',
      help: 'parts or sides, by comma: journey, micro, start-up, guard, dialects, router, retrieval, physics, bare, portkey, thinplane, full',
    },
    rounds: { type: 'string', value: 'N', help: 'rounds of the journey, default 5' },
    out: { type: 'string', value: 'FILE', help: 'the report, default bench/results/<date>-<name>.md' },
    profile: { type: 'boolean', help: 'take processor profiles instead of measuring' },
    data: { type: 'string', value: 'DIR', help: 'folder with labelled texts, for the part guard' },
    note: { type: 'string', value: 'TEXT', help: 'a sentence about what limited the run' },
  },
  run: async (given) => {
    const options: BenchOptions = {
      quick: given.flag('quick'),
      only: [...given.words, ...(given.text('only')?.split(',') ?? [])],
      rounds: given.number('rounds', 1, MAX_ROUNDS),
      out: given.text('out'),
      profile: given.flag('profile'),
      data: given.text('data'),
      note: given.text('note'),
    }
    await runBench(options)
    return 0
  },
}
