import { ConfigProblems, showProblem } from '#config/load.ts'
import { type Command, WrongUsage } from '#bin/command.ts'
import { examineAgent } from '#bin/doctor/agent.ts'
import { examine } from '#bin/doctor/examine.ts'
import { isBroken, report } from '#bin/doctor/report.ts'

export const command: Command = {
  summary: 'walk each trust chain and endpoint, live: which step fails, and what to change',
  usage: '[FILE] [--target NAME | --agent] [--json]',
  takesWords: true,
  options: {
    config: { type: 'string', value: 'FILE', help: 'the configuration, default thinplane.yaml' },
    target: { type: 'string', value: 'NAME', help: 'walk this target only' },
    agent: { type: 'boolean', help: 'walk what the data-plane agent reads: run it on the machine of the agent' },
    json: { type: 'boolean', help: 'print the chains as JSON' },
  },
  run: async (given) => {
    if (given.words.length > 1) throw new WrongUsage('takes one configuration at a time')
    const file = given.words[0] ?? given.text('config') ?? 'thinplane.yaml'
    const isJson = given.flag('json')
    try {
      const chains = given.flag('agent')
        ? await examineAgent(file, process.env)
        : await examine(file, given.text('target'), process.env)
      const ok = !chains.some((chain) => isBroken(chain))
      process.stdout.write(isJson ? `${JSON.stringify({ file, ok, chains })}\n` : report(chains))
      return ok ? 0 : 1
    } catch (error) {
      if (!(error instanceof ConfigProblems)) throw error
      const { problems } = error
      if (isJson) process.stdout.write(`${JSON.stringify({ file, ok: false, problems })}\n`)
      else process.stdout.write(`${file}:\n${problems.map((problem) => `  ${showProblem(problem)}\n`).join('')}`)
      return 1
    }
  },
}
