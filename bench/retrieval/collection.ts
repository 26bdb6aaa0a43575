/** The collection of the benchmark `retrieval`, as the maker of the index and the agent both know it. */
export const COLLECTION = 'bench'

/** The role of the callers: everybody's documents and the staff's. */
export const STAFF = 'staff'

/** Who reads below which folder; everybody reads what is below none of them. */
export const RULES: readonly { readonly documents: string; readonly roles: readonly string[] }[] = [
  { documents: 'staff/**', roles: [STAFF, 'finance', 'board'] },
  { documents: 'finance/**', roles: ['finance', 'board'] },
  { documents: 'board/**', roles: ['board'] },
]
