/** How an error looks: its type is what programs go by. */
export class SearchProblem extends Error {
  readonly type: string
  readonly status: number

  constructor(type: string, reason: string, status = 400) {
    super(reason)
    this.name = 'SearchProblem'
    this.type = type
    this.status = status
  }
}

/** A field of an index. */
export interface Field {
  readonly type: 'keyword' | 'integer' | 'boolean' | 'text' | 'knn_vector'
  /** Whether queries may name it. */
  readonly index: boolean
  /** Whether hits can be sorted by it. */
  readonly isSortable: boolean
  readonly copyTo: string | undefined
  /** Of a vector. */
  readonly dimension: number | undefined
}

export type SearchDocument = Readonly<Record<string, unknown>>

export interface SearchIndex {
  readonly name: string
  /** As it was asked for, for `_mapping`. */
  readonly mappings: unknown
  readonly fields: ReadonlyMap<string, Field>
  /** By id, as written. */
  readonly written: Map<string, SearchDocument>
  /** By id, as searches see it: what was written before the last refresh. */
  searchable: ReadonlyMap<string, SearchDocument>
}

/** Indexes of one domain. Nothing that is written is found before a refresh, which nobody does but the requests. */
export class SearchIndexes {
  readonly #indexes = new Map<string, SearchIndex>()

  /** @throws {SearchProblem} resource_already_exists_exception, invalid_index_name_exception. */
  create(name: string, mappings: unknown, fields: ReadonlyMap<string, Field>): void {
    if (!/^[a-z0-9][a-z0-9_.-]{0,254}$/.test(name))
      throw new SearchProblem('invalid_index_name_exception', `Invalid index name [${name}]`)
    if (this.#indexes.has(name))
      throw new SearchProblem('resource_already_exists_exception', `index [${name}] already exists`)
    this.#indexes.set(name, { name, mappings, fields, written: new Map(), searchable: new Map() })
  }

  /** @throws {SearchProblem} index_not_found_exception. */
  get(name: string): SearchIndex {
    const index = this.#indexes.get(name)
    if (index === undefined) throw new SearchProblem('index_not_found_exception', `no such index [${name}]`, 404)
    return index
  }

  /** @throws {SearchProblem} index_not_found_exception. */
  delete(name: string): void {
    this.get(name)
    this.#indexes.delete(name)
  }

  refresh(index: SearchIndex): void {
    index.searchable = new Map(index.written)
  }
}
