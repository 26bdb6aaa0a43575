/**
 * Letters of other alphabets that look like ASCII ones, from the skeletons of the Unicode Security Mechanisms
 * (UTS 39, confusables.txt): Cyrillic, Greek, Armenian, Latin letters of their own, and some symbols.
 */
const PAIRS =
  'аa еe оo рp сc уy хx іi јj ѕs һh ԁd ԛq ԝw ѵv ӏl ьb гr кk мm нh тt вb пn АA ВB ЕE ЅS ІI ЈJ КK МM НH ОO РP СC ТT ХX УY ҮY ԌG ԚQ ԜW ЗZ ' +
  'αa οo ρp νv υu ιi κk τt γy ωw ηn χx ϲc ϳj ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ϹC ' +
  'օo ոn սu հh ցg ɑa ɡg ɩi ıi ɪi ʀr ѡw ꓐB ꓑP ꓓD ꓔT ꓖG ꓗK ꓙJ ꓚC ꓝF ꓟM ꓠN ꓡL ꓢS ꓣR ꓦV ꓧH ꓪW ꓫX ꓬY ꓮA ꓰE ꓲI ꓳO ꓴU ꓜZ ' +
  "‐- ‑- ‒- –- —- ―- −- ﹣- ⁃- ˗- ․. 。. ۔. ⁄/ ∕/ ∶: ꞉: ׃: ＠@ ﹫@ ‘' ’' ‛' “\" ” \" ′' ＿_ ‚, "

const table = new Map<number, string>()
for (const pair of PAIRS.split(' ').filter(({ length }) => length === 2)) {
  table.set(pair.codePointAt(0) ?? 0, pair.slice(-1))
}

/** The ASCII character that `code` looks like, or undefined. */
export function lookAlike(code: number): string | undefined {
  return table.get(code)
}

/** First of ten consecutive digits in other scripts (Unicode general category Nd). */
const ZEROS = [
  0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040,
  0x17e0, 0x1810,
]

/** The value of a decimal digit of another script as ASCII, or undefined. */
export function digitOf(code: number): string | undefined {
  for (const zero of ZEROS) if (code >= zero && code < zero + 10) return String(code - zero)
  return undefined
}

/** Characters that are not seen: zero width, directions, joiners, soft hyphen, selectors, fillers, tags, combining marks. */
export function isUnseen(code: number): boolean {
  return (
    code === 0xad ||
    code === 0x34f ||
    code === 0x61c ||
    code === 0x180e ||
    code === 0xfeff ||
    code === 0x115f ||
    code === 0x1160 ||
    code === 0x3164 ||
    code === 0xffa0 ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    (code >= 0x300 && code <= 0x36f) ||
    (code >= 0x20d0 && code <= 0x20ff) ||
    (code >= 0xe0000 && code <= 0xe01ef)
  )
}

/** Blanks that are not U+0020. */
export function isOtherBlank(code: number): boolean {
  return (
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  )
}
