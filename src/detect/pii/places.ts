/** Names of countries in English (from the runtime's own locale data) and of states, provinces and large cities. */
let names: ReadonlySet<string> | undefined

const MORE =
  'Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming|Ontario|Quebec|British Columbia|Alberta|Manitoba|Saskatchewan|Nova Scotia|England|Scotland|Wales|Northern Ireland|Great Britain|United States|United States of America|Czech Republic|Russia|South Korea|North Korea|Bavaria|Saxony|Catalonia|Tuscany|Munich|Hamburg|Cologne|Frankfurt|Barcelona|Milan|San Francisco|Seattle|Boston|Houston|Dallas|Miami|Atlanta|Philadelphia|Los Angeles|Las Vegas|San Diego|Manchester|Birmingham|Beijing|Mumbai|New Delhi|Bangalore|Rio de Janeiro|Europe|Asia|Africa|America|North America|South America|Antarctica|Washington DC|Cape Town|Tel Aviv|Saint Petersburg'

/** Whether the words, in lower case with single blanks, are a place that everybody knows. */
export function isPlace(lower: string): boolean {
  names ??= load()
  return names.has(lower)
}

function load(): ReadonlySet<string> {
  const regions = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })
  const found = MORE.split('|')
  for (const first of LETTERS) {
    for (const second of LETTERS) {
      const name = regions.of(first + second)
      if (name !== undefined) found.push(name.replaceAll('&', 'and').replace(/ SAR China$/, ''))
    }
  }
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    const city = zone.split('/').at(-1)
    if (city !== undefined && !/\d|GMT|UTC/.test(city)) found.push(city.replaceAll('_', ' '))
  }
  return new Set(found.map((name) => name.toLowerCase()))
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')
