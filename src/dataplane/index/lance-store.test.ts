import { folderWith, skipWithoutIndex } from '#dataplane/test-agent.ts'
import { lanceEngine } from './lance-store.ts'
import { indexStoreSuite } from './store.suite.ts'

indexStoreSuite('lance', async () => lanceEngine({ uri: await folderWith({}) }), { skip: skipWithoutIndex })
