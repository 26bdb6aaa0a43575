import type { FindingCount } from '#contract/screened.ts'

/** Coarse classes of data, so that a policy needs no list of entity types. */
export type DataClass = 'credential' | 'payment' | 'government-id' | 'health' | 'contact' | 'person' | 'network'

/** Presidio's entity names (its list of supported entities) and Thinplane's own, by class. */
const TYPES_BY_CLASS: Readonly<Partial<Record<DataClass, readonly string[]>>> = {
  credential: ['SECRET'],
  payment: ['ABA_ROUTING_NUMBER', 'CREDIT_CARD', 'CRYPTO', 'IBAN_CODE', 'US_BANK_NUMBER'],
  health: [
    'AU_MEDICARE',
    'DE_BSNR',
    'DE_HEALTH_INSURANCE',
    'DE_LANR',
    'MEDICAL_LICENSE',
    'MEDICAL_RECORD',
    'UK_NHS',
    'US_MBI',
    'US_NPI',
  ],
  contact: [
    'ADDRESS',
    'DE_PLZ',
    'EMAIL_ADDRESS',
    'LOCATION',
    'PHONE_NUMBER',
    'PH_MOBILE_NUMBER',
    'TR_PHONE_NUMBER',
    'UK_POSTCODE',
  ],
  network: ['IP_ADDRESS', 'MAC_ADDRESS', 'URL'],
  'government-id': [
    'AU_ABN',
    'AU_ACN',
    'AU_TFN',
    'BE_NATIONAL_NUMBER',
    'BR_CNPJ',
    'BR_CPF',
    'CA_SIN',
    'CH_AHV',
    'CN_RESIDENT_ID',
    'DE_FUEHRERSCHEIN',
    'DE_HANDELSREGISTER',
    'DE_ID_CARD',
    'DE_KFZ',
    'DE_PASSPORT',
    'DE_SOCIAL_SECURITY',
    'DE_TAX_ID',
    'DE_TAX_NUMBER',
    'DE_VAT_ID',
    'ES_NIE',
    'ES_NIF',
    'ES_PASSPORT',
    'FI_PERSONAL_IDENTITY_CODE',
    'FR_INSEE',
    'IN_AADHAAR',
    'IN_GSTIN',
    'IN_PAN',
    'IN_PASSPORT',
    'IN_VEHICLE_REGISTRATION',
    'IN_VOTER',
    'IT_DRIVER_LICENSE',
    'IT_FISCAL_CODE',
    'IT_IDENTITY_CARD',
    'IT_PASSPORT',
    'IT_VAT_CODE',
    'JP_MY_NUMBER',
    'KR_BRN',
    'KR_DRIVER_LICENSE',
    'KR_FRN',
    'KR_PASSPORT',
    'KR_RRN',
    'MX_CURP',
    'NG_NIN',
    'NG_VEHICLE_REGISTRATION',
    'NL_BSN',
    'PH_TIN',
    'PL_PESEL',
    'SE_ORGANISATIONSNUMMER',
    'SE_PERSONNUMMER',
    'SG_NRIC_FIN',
    'SG_UEN',
    'TH_TNIN',
    'TR_LICENSE_PLATE',
    'TR_NATIONAL_ID',
    'UK_DRIVING_LICENCE',
    'UK_NINO',
    'UK_PASSPORT',
    'UK_VEHICLE_REGISTRATION',
    'US_DRIVER_LICENSE',
    'US_ITIN',
    'US_PASSPORT',
    'US_SSN',
    'ZA_ID_NUMBER',
  ],
}

/** A type that is not here is `person`. */
const CLASS_BY_TYPE: ReadonlyMap<string, DataClass> = new Map(
  (Object.keys(TYPES_BY_CLASS) as DataClass[]).flatMap((name) =>
    (TYPES_BY_CLASS[name] ?? []).map((type) => [type, name] as const),
  ),
)

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
  return CLASS_BY_TYPE.get(type) ?? 'person'
}

/** Sorted, each once. */
export function sortedSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].toSorted()
}
