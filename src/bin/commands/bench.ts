import type { Command } from '#bin/command.ts'

export const command: Command = {
  summary: 'run the benchmark suite, peers included where they are installed',
  usage: '',
  options: {},
  run: async () => {
    process.stdout.write('not here yet\n')
    return Promise.resolve(1)
  },
}
