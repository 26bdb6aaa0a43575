/** Small closed word lists of the tier for names: all lower case. */
const set = (words: string): ReadonlySet<string> => new Set(words.split(' '))

export const TITLES = set(
  'mr mrs ms miss mx dr prof professor sir madam lord lady herr frau fräulein señor señora sr sra monsieur madame mme mlle signor signora judge rabbi imam senator',
)

/** Between the parts of a name, written small. */
const PARTICLES = set('van von der den de del della di da dos du la le al el bin ibn ben ter ten zu af av')

/** Words before a name that say so: `named Anna`, `Dear Anna`. */
export const INTRODUCING = set(
  'named called dear hi hello hey hallo hola bonjour ciao cheers regards sincerely name signed',
)
/** The same, but a name must be known or of two words: they stand before much else. */
export const POINTING = set(
  'by with to from and or for tell told ask asked said met meet thank thanks contact see mother father brother sister wife husband son daughter friend colleague partner kid boss guardian author singer songwriter producer founder player starring early directed feat',
)

/** Where a place is likely. */
export const PLACING = set('in from at near to visit visiting around leaving toward towards outside')
/** Before `in`, `from` or `to`, they make the next word a place. */
export const DWELLING = set(
  'live lives lived living based born located moved move originally grew up here am is are stay staying travelling traveling flew',
)

/** Words that begin sentences and lines, and other capitalised words that are no names. */
const NO_NAME = set(
  'mon tue wed thu fri sat sun jan feb mar apr jun jul aug sep sept oct nov dec nam a an the this that these those there here it its he she they we you i my your his her our their who whom whose what which when where why how if so as at by in on of or and but not no nor yes for from to with without into about after before since until while because although though however please thanks thank hello hi hey dear regards best kind sincerely cheers good morning afternoon evening night bye is are was were am be been being do does did done have has had can could will would shall should may might must let lets get got go going come see look make made take give use used using need want know think say said tell ask call write read send find show try keep put set run start stop open close add remove delete create update change check click enter select choose follow note notes warning error info debug example examples question answer bot user assistant system human customer client service support team sales admin manager director president minister king queen prince doctor nurse teacher student child children man woman men women people person sir madam mr mrs ms miss dr prof monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december today tomorrow yesterday now then once first second third last next new old all any some many much more most few both each every other another such same own only just also even still yet again ever never always often sometimes maybe perhaps very too quite rather really well ok okay name names address phone email mail fax mobile zip city country state street date time birth age id number account card credit bank iban ssn url api http https json xml html css sql pdf usa uk eu us un tv cd dvd bbc cnn nasa north south east west northern southern eastern western central english french german spanish italian russian chinese japanese korean dutch swedish danish norwegian finnish polish czech hungarian greek turkish arabic hebrew portuguese brazilian american british canadian australian mexican european asian african indian irish scottish christian christianity muslim islam islamic jewish judaism catholic protestant god jesus bible quran internet web google facebook twitter instagram youtube amazon microsoft apple windows linux android iphone github python java javascript typescript docker kubernetes part chapter section page figure table step test data file code type class function return object string true false null none one two three four five six seven eight nine ten inc ltd llc corp co company group university college school hospital department office institute center centre museum park lake river mountain island church bridge airport station hotel club house world war act title article treaty union court board committee council press news times post journal magazine award prize festival championship league cup republic producer author founder singer actor actress captain sergeant officer chef islands city the',
)

/** Given names first, places only behind a word like `in`. */
export const NAMES_FIRST = set(
  'jordan victoria virginia florence charlotte austin madison sydney adelaide georgia carolina jackson chelsea lincoln savannah',
)

const ORGANISATION_ENDINGS = set(
  'inc ltd llc llp plc corp corporation company co gmbh ag kg se sa sarl spa srl bv nv oy ab as aps kft zrt sro doo pty limited incorporated foundation university college institute bank group holdings partners technologies systems solutions labs software industries enterprises associates consulting ventures capital insurance airlines motors pharmaceuticals networks analytics robotics services union department ministry agency association committee investments health media energy',
)

const STREETS = set(
  'street st avenue ave road rd lane ln boulevard blvd drive dr way court ct place pl square sq terrace ter parkway pkwy highway hwy circle cir crescent close mews row trail alley quay rue via viale vicolo piazza corso calle avenida rua avenue chemin allee allée ulica ul utca út u strada corner strasse straße plaza praça travessa parks extensions gateway gate heights hill',
)
export const STREET_ENDING =
  /(?:straße|strasse|str|stasse|gasse|weg|platz|allee|damm|ufer|gade|vej|gatan|gata|vägen|vägen|väg|veien|vei|straat|laan|plein|plaats|kade|gracht|singel|katu|tie|polku|kuja|kaari|utca|ulica|lände|terrasse)$/

const UNITS = set('apt apartment suite unit flat floor room box psc postbox p')

/** What a word can be in a run, as bits: one look instead of one for every list. */
export const IS_TITLE = 1
export const IS_PARTICLE = 2
export const IS_NO_NAME = 4
export const IS_ORGANISATION = 8
export const IS_STREET = 16
export const IS_UNIT = 32

const roles = new Map<string, number>()
for (const [bit, list] of [
  [IS_TITLE, TITLES],
  [IS_PARTICLE, PARTICLES],
  [IS_NO_NAME, NO_NAME],
  [IS_ORGANISATION, ORGANISATION_ENDINGS],
  [IS_STREET, STREETS],
  [IS_UNIT, UNITS],
] as const)
  for (const word of list) roles.set(word, (roles.get(word) ?? 0) | bit)

export function rolesOf(lower: string): number {
  return roles.get(lower) ?? 0
}
