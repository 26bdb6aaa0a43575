import type { FindingCount } from '#contract/screened.ts'

/** Coarse classes of data, so that a policy needs no list of entity types. */
export type DataClass = 'credential' | 'payment' | 'government-id' | 'health' | 'contact' | 'person' | 'network'

/** Presidio's entity names (its list of supported entities) by class; a type that is not here is `person`. */
const CLASS_BY_TYPE: Readonly<Record<string, DataClass>> = {
  SECRET: 'credential',
  CREDIT_CARD: 'payment',
  IBAN_CODE: 'payment',
  US_BANK_NUMBER: 'payment',
  ABA_ROUTING_NUMBER: 'payment',
  CRYPTO: 'payment',
  US_SSN: 'government-id',
  US_ITIN: 'government-id',
  US_PASSPORT: 'government-id',
  US_DRIVER_LICENSE: 'government-id',
  UK_NINO: 'government-id',
  ES_NIF: 'government-id',
  IT_FISCAL_CODE: 'government-id',
  PL_PESEL: 'government-id',
  DE_TAX_ID: 'government-id',
  IN_AADHAAR: 'government-id',
  IN_PAN: 'government-id',
  UK_NHS: 'health',
  AU_MEDICARE: 'health',
  MEDICAL_LICENSE: 'health',
  MEDICAL_RECORD: 'health',
  EMAIL_ADDRESS: 'contact',
  PHONE_NUMBER: 'contact',
  IP_ADDRESS: 'network',
  MAC_ADDRESS: 'network',
  URL: 'network',
}

/** How the guard's findings look to policy. Each list is sorted and without repeats. */
export interface Classification {
  /** Entity types that were found, whatever was done about them. */
  readonly findings: readonly string[]
  /** Their classes. */
  readonly classes: readonly string[]
  /** Classes of what is still in the text: found, and neither replaced nor masked. */
  readonly remaining: readonly string[]
}

const NOTHING: Classification = { findings: [], classes: [], remaining: [] }

export function classify(found: readonly FindingCount[]): Classification {
  if (found.length === 0) return NOTHING
  const left = found.filter(({ action }) => action === 'allow' || action === 'flag')
  return {
    findings: sortedSet(found.map(({ type }) => type)),
    classes: sortedSet(found.map(({ type }) => classOf(type))),
    remaining: sortedSet(left.map(({ type }) => classOf(type))),
  }
}

export function classOf(type: string): DataClass {
  return CLASS_BY_TYPE[type] ?? 'person'
}

/** Sorted, each once. */
export function sortedSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].toSorted()
}
