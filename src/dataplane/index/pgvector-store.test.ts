import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { PGVECTOR_SETTINGS, pgVectorEngine } from './pgvector-store.ts'
import { indexStoreSuite } from './store.suite.ts'

/** PostgreSQL itself with its extension, compiled to WebAssembly: the SQL is the real one. */
indexStoreSuite('pgvector', async () => {
  const database = await PGlite.create({ extensions: { vector } })
  await database.query('CREATE EXTENSION IF NOT EXISTS vector')
  for (const [name, value] of Object.entries(PGVECTOR_SETTINGS)) await database.query(`SET ${name} = '${value}'`)
  return pgVectorEngine({
    schema: 'thinplane',
    run: async (text, values = []) => (await database.query(text, [...values])).rows,
    close: async () => await database.close(),
  })
})
