/** A gateway without its wire: uses one unit after another of one counter and says so, until it is killed. */
import { FileStore } from '#limits/file-store.ts'
import { Keeper } from '#limits/keeper.ts'
import { Limiter } from '#limits/limiter.ts'
import { testRule } from '#limits/test-gateways.ts'

const [path = '', replica = '', pauseMs = '0'] = process.argv.slice(2)
const rule = testRule({ window: 'month', amounts: { requests: 10_000 } })
const limiter: Limiter = new Limiter({ replica, nowEpochMs: Date.now, onLow: () => keeper.soon() })
const keeper = new Keeper({
  limiter,
  store: new FileStore(path),
  onTrouble: (problem) => say(`trouble ${problem ?? ''}`),
})

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

await keeper.start()
say('started')
for (;;) {
  const account = limiter.accountOf({ rule, subject: 's' })
  const holds = account.purses.map((purse) => ({ account, purse, amount: 1 }))
  if (limiter.hold(holds).length === 0) {
    limiter.settle(holds, () => 1)
    say('used')
  } else say('refused')
  await new Promise((resolve) => setTimeout(resolve, Number(pauseMs)))
}
