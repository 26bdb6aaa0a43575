import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scan } from '#detect/scan.ts'
import { shapedFindings } from './pii.ts'

/** Specimens that the authorities publish themselves, and invented numbers whose check digits are right. */
const FOUND: readonly (readonly [text: string, type: string, value: string])[] = [
  ['my ssn is 219-09-9999', 'US_SSN', '219-09-9999'],
  ['social security number 219099999', 'US_SSN', '219099999'],
  ['ITIN 912-70-1234', 'US_ITIN', '912-70-1234'],
  ['passport number: 340020013', 'US_PASSPORT', '340020013'],
  ['routing number 121000358', 'ABA_ROUTING_NUMBER', '121000358'],
  ['the bank account is 945678123456', 'US_BANK_NUMBER', '945678123456'],
  ['her driver license is D1234567', 'US_DRIVER_LICENSE', 'D1234567'],
  ['Medicare card 1EG4-TE5-MK73', 'US_MBI', '1EG4-TE5-MK73'],
  ['NPI 1234567893', 'US_NPI', '1234567893'],
  ['prescribed under AB1234563', 'MEDICAL_LICENSE', 'AB1234563'],
  ['my SIN is 193-456-787', 'CA_SIN', '193-456-787'],
  ['CPF 111.444.777-35', 'BR_CPF', '111.444.777-35'],
  ['CNPJ 11.222.333/0001-81', 'BR_CNPJ', '11.222.333/0001-81'],
  ['CURP: HEGG560427MVZRRL04', 'MX_CURP', 'HEGG560427MVZRRL04'],
  ['NHS number 943 476 5919', 'UK_NHS', '943 476 5919'],
  ['national insurance AB 12 34 56 C', 'UK_NINO', 'AB 12 34 56 C'],
  ['licence MORGA657054SM9IJ', 'UK_DRIVING_LICENCE', 'MORGA657054SM9IJ'],
  ['the car is BD51 SMR', 'UK_VEHICLE_REGISTRATION', 'BD51 SMR'],
  ['post code SW1A 1AA', 'UK_POSTCODE', 'SW1A 1AA'],
  ['DNI 12345678Z', 'ES_NIF', '12345678Z'],
  ['NIE X1234567L', 'ES_NIE', 'X1234567L'],
  ['mi pasaporte es AAB123456', 'ES_PASSPORT', 'AAB123456'],
  ['codice fiscale RSSMRA85T10A562S', 'IT_FISCAL_CODE', 'RSSMRA85T10A562S'],
  ['partita iva 07643520567', 'IT_VAT_CODE', '07643520567'],
  ['PESEL 44051401359', 'PL_PESEL', '44051401359'],
  ['henkilötunnus 131052-308T', 'FI_PERSONAL_IDENTITY_CODE', '131052-308T'],
  ['personnummer 811228-9874', 'SE_PERSONNUMMER', '811228-9874'],
  ['orgnr 556016-0680', 'SE_ORGANISATIONSNUMMER', '556016-0680'],
  ['BSN 111222333', 'NL_BSN', '111222333'],
  ['registre national 93.05.18-223.61', 'BE_NATIONAL_NUMBER', '93.05.18-223.61'],
  ['AHV 756.9217.0769.85', 'CH_AHV', '756.9217.0769.85'],
  ['Steuer-ID 86095742719', 'DE_TAX_ID', '86095742719'],
  ['Steuernummer 93/815/08152', 'DE_TAX_NUMBER', '93/815/08152'],
  ['USt-IdNr. DE 136 695 976', 'DE_VAT_ID', 'DE 136 695 976'],
  ['Reisepass C01X00T47', 'DE_PASSPORT', 'C01X00T47'],
  ['Personalausweis L01X00T471', 'DE_ID_CARD', 'L01X00T471'],
  ['KVNR A123456780', 'DE_HEALTH_INSURANCE', 'A123456780'],
  ['Sozialversicherung 15070649C103', 'DE_SOCIAL_SECURITY', '15070649C103'],
  ['Führerscheinnummer B072RRE2I55', 'DE_FUEHRERSCHEIN', 'B072RRE2I55'],
  ['Kennzeichen M-XY 999', 'DE_KFZ', 'M-XY 999'],
  ['eingetragen unter HRB 12345', 'DE_HANDELSREGISTER', 'HRB 12345'],
  ['PLZ 10115', 'DE_PLZ', '10115'],
  ['Aadhaar 2341 2341 2346', 'IN_AADHAAR', '2341 2341 2346'],
  ['PAN ABCPE1234F', 'IN_PAN', 'ABCPE1234F'],
  ['GSTIN 27AAPFU0939F1ZV', 'IN_GSTIN', '27AAPFU0939F1ZV'],
  ['the bike KA 01 HH 1234', 'IN_VEHICLE_REGISTRATION', 'KA 01 HH 1234'],
  ['NRIC S1234567D', 'SG_NRIC_FIN', 'S1234567D'],
  ['FIN G1234567X', 'SG_NRIC_FIN', 'G1234567X'],
  ['주민등록번호 960121-1021413', 'KR_RRN', '960121-1021413'],
  ['Thai national id 1-1017-00230-70-8', 'TH_TNIN', '1-1017-00230-70-8'],
  ['TCKN 10000000146', 'TR_NATIONAL_ID', '10000000146'],
  ['ABN 51 824 753 556', 'AU_ABN', '51 824 753 556'],
  ['ACN 004 085 616', 'AU_ACN', '004 085 616'],
  ['TFN 123 456 782', 'AU_TFN', '123 456 782'],
  ['medicare 2123 45670 1', 'AU_MEDICARE', '2123 45670 1'],
  ['ID 8001015009087', 'ZA_ID_NUMBER', '8001015009087'],
  ['身份证 11010519491231002X', 'CN_RESIDENT_ID', '11010519491231002X'],
  ['mac 00:1A:2B:3C:4D:5E', 'MAC_ADDRESS', '00:1A:2B:3C:4D:5E'],
  ['at AA-BB-CC-DD-EE-FF it', 'MAC_ADDRESS', 'AA-BB-CC-DD-EE-FF'],
  ['pay 1BoatSLRHtKNngkdXEeobR76b53LETtpyT', 'CRYPTO', '1BoatSLRHtKNngkdXEeobR76b53LETtpyT'],
  ['to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 'CRYPTO', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4'],
  ['iban gb82 west 1234 5698 7654 32', 'IBAN_CODE', 'gb82 west 1234 5698 7654 32'],
  ['pay with 213177009900126 please', 'CREDIT_CARD', '213177009900126'],
  ['card 3530111333300000', 'CREDIT_CARD', '3530111333300000'],
  ['fax 089 72 63 41', 'PHONE_NUMBER', '089 72 63 41'],
  ['office (978)645-9740x11144', 'PHONE_NUMBER', '(978)645-9740x11144'],
  ['ring +46 (0)8 928 571 38', 'PHONE_NUMBER', '+46 (0)8 928 571 38'],
  ['text 0917 123 4567 now', 'PH_MOBILE_NUMBER', '0917 123 4567'],
  ['cep 0532 123 45 67', 'TR_PHONE_NUMBER', '0532 123 45 67'],
  ['see www.example.co.uk/a?b=1.', 'URL', 'www.example.co.uk/a?b=1'],
  ['from ::ffff:192.0.2.1 today', 'IP_ADDRESS', '::ffff:192.0.2.1'],
  ['at 2024-03-15T14:30:00.123+02:00,', 'DATE_TIME', '2024-03-15T14:30:00.123+02:00'],
  ['send it to 12 Main Street, Springfield, IL 62704', 'ADDRESS', '12 Main Street, Springfield, IL 62704'],
  ['wir wohnen in der Hauptstraße 12', 'ADDRESS', 'Hauptstraße 12'],
  ['my name is Anneliese Kowalczyk', 'PERSON', 'Anneliese Kowalczyk'],
  ['ask Dr. Quarrel about it', 'PERSON', 'Quarrel'],
  ['was written by Peter van der Berg', 'PERSON', 'Peter van der Berg'],
  ['we met J. R. Jovanović there', 'PERSON', 'J. R. Jovanović'],
  ['she moved to New Zealand', 'LOCATION', 'New Zealand'],
  ['a contract with Foobar Widgets GmbH', 'ORGANIZATION', 'Foobar Widgets GmbH'],
]

for (const [text, type, value] of FOUND) {
  test(`finds ${type} in ${JSON.stringify(text)}`, () => {
    const found = scan(text).filter(({ score }) => score >= 0.5)
    assert.deepEqual(
      found.map((finding) => [finding.type, text.slice(finding.start, finding.end)]),
      [[type, value]],
    )
  })
}

const NOT_ACTED_UPON = [
  'ssn 000-12-3456, 666-12-3456, 219-00-9999',
  'NPI 1234567890',
  'DNI 12345678A and NIE X1234567A',
  'codice fiscale RSSMRA85T10A562T',
  'PESEL 44051401358',
  'henkilötunnus 131052-308U',
  'national insurance BG 12 34 56 C',
  'ABN 51 824 753 557',
  'Aadhaar 2341 2341 2347',
  'the part S1234567A is missing',
  'pay 1BoatSLRHtKNngkdXEeobR76b53LETtpyU',
  'to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5',
  'iban GB82 WEST 1234 5698 7654 33',
  'mac FF:FF:FF:FF:FF:FF',
  'order 340020013 of 945678123456 pieces at 1700000000',
  'in 2010 (2011) it was 805-815, S.214 (1850-52)',
  'on 10 Jan 2024 at 20 am 300 people',
  'it is 12, I am 30 and the ratio is 1:2:3',
  'std::cout << x[::2]; obj.item.name = this.id;',
  'version 10.4.2 of 127.0.0.1:8080 and 0.0.0.0',
  'Please ask Python, Docker and Monday about Jenkins',
  'the BedrockStability config, PascalCase and STAN',
  'Suche einen Koch für das Haus am See',
  'In May we will mark the grace period, Jan. 11',
  '36 of the 2011 Spring releases',
  'the parts 5-219-09-9999 and id_219-09-9999',
  'they live at 30 Celso Emilio Ferreiro 90',
  'please call on 2024 1 12',
]

for (const text of NOT_ACTED_UPON) {
  test(`leaves ${JSON.stringify(text)} alone`, () => {
    const acted = scan(text).filter(
      ({ score, type }) => score >= 0.5 && !['DATE_TIME', 'LOCATION', 'URL'].includes(type),
    )
    assert.deepEqual(acted, [])
  })
}

test('a plain number is what a word near it says, and nothing without one', () => {
  const typeOf = (text: string): string | undefined => scan(text).find(({ score }) => score >= 0.5)?.type
  assert.equal(typeOf('the passport is 340020013, valid'), 'US_PASSPORT')
  assert.equal(typeOf('"passportNumber": 340020013'), 'US_PASSPORT')
  assert.equal(typeOf(`the passport${' and more'.repeat(10)} 340020013, valid`), undefined)
  assert.equal(typeOf(`there were 340020013${' and more'.repeat(8)} passports`), undefined)
  assert.equal(typeOf('there were 340020013 of them'), undefined)
  assert.notEqual(typeOf('340020013'), undefined, 'a value alone is the answer to something')
})

test('a value of two kinds is reported once, as the surer kind', () => {
  const text = 'NHS number 943 476 5919'
  const kinds = shapedFindings(text).filter(({ start }) => start === 11)
  assert.ok(kinds.length > 1)
  assert.deepEqual(
    scan(text).map(({ type }) => type),
    ['UK_NHS'],
  )
})

const HOSTILE = [
  '1 ',
  '1-',
  '12-34-',
  '12:34:',
  '::1 ',
  'a.b.',
  '@a',
  'http://a',
  '(1) ',
  '+1 ',
  'A ',
  'Anna ',
  'Apt 1 ',
].concat(['1234 5678 ', 'AA-BB-', '12 Main Street ', 'x@y.z ', '4111 ', 'é', 'ก', '\ud83d', '٣'])

test('findings are sorted, apart and inside the text, whatever the text', () => {
  const piece = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...HOSTILE, ...FOUND.map(([text]) => text)))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
      const text = pieces.join('')
      let end = 0
      for (const finding of scan(text)) {
        assert.ok(finding.start >= end && finding.end > finding.start && finding.end <= text.length)
        assert.ok(finding.score > 0 && finding.score <= 1)
        end = finding.end
      }
    }),
    { numRuns: 300 },
  )
})

test('work grows with the text and not faster, whatever is repeated', () => {
  const bestOf = (text: string): number => {
    const runs = [0, 1, 2].map(() => {
      const start = performance.now()
      scan(text)
      return performance.now() - start
    })
    return Math.min(...runs)
  }
  for (const piece of HOSTILE) {
    const small = bestOf(piece.repeat(Math.ceil(8192 / piece.length)))
    const large = bestOf(piece.repeat(Math.ceil(65_536 / piece.length)))
    // Eight times the text: sixty-four times the work if it were quadratic. The constant is for a busy machine.
    assert.ok(large < small * 24 + 40, `${JSON.stringify(piece)}: ${small.toFixed(1)} ms, then ${large.toFixed(1)} ms`)
  }
})
