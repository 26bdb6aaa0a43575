import type { Finding } from '#contract/screened.ts'
import { ALPHANUMERIC, HYPHEN, LOWER, UNDERSCORE, UPPER, isOf, runEnd } from '#detect/charset.ts'

const MAX_URL_CHARS = 2048
const MAX_LABEL_CHARS = 63
const MAX_LABELS = 8
const LABEL = ALPHANUMERIC | HYPHEN

/** Generic top-level domains that a bare name is believed to end in. */
const GENERIC = new Set(
  'com org net edu gov mil int info biz name pro aero coop museum mobi jobs travel xyz online site shop store app dev tech cloud blog news live club page'.split(
    ' ',
  ),
)
/** Country codes (ISO 3166-1, as IANA delegates them) that are not known as file endings or properties as well. */
const COUNTRIES = new Set(
  'ac ad ae af ag al am ao aq ar at au aw az ba bb bd be bf bg bh bi bj bm bn bo br bt bw by bz ca cd cf cg ch ci ck cl cm cn co cr cu cv cw cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr lt lu lv ly ma mc me mg mh mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pr pt pw qa re ro ru rw sa sb sc sd se sg si sj sk sl sm sn sr ss sv sx sy sz tc td tf tg th tj tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw'.split(
    ' ',
  ),
)
/** Endings that code has after a name as well: believed after `www.` or a second-level `co`, `com`, `org` only. */
const AMBIGUOUS = new Set(
  'id in is to do it me my no as be by at am so us name page app live store info int'.split(' '),
)

/** The URL around the `://` at `colon`, with a scheme of letters before it. */
export function urlAt(text: string, colon: number): Finding | undefined {
  let start = colon
  while (start > 0 && colon - start < 8 && isOf(text, start - 1, UPPER | LOWER)) start -= 1
  if (!/^(?:https?|ftps?|wss?)$/i.test(text.slice(start, colon))) return undefined
  const end = urlEnd(text, colon + 3)
  if (end - colon < 7 || !isOf(text, colon + 3, ALPHANUMERIC)) return undefined
  return { type: 'URL', start, end, score: 0.6, detector: 'url' }
}

function urlEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + MAX_URL_CHARS)
  let end = from
  while (end < limit && text.charCodeAt(end) > 32 && !'"\'<>`{}|\\^'.includes(text[end] ?? '"')) end += 1
  while (end > from && '.,;:!?)]*_'.includes(text[end - 1] ?? ' ')) end -= 1
  return end
}

/** The domain name whose first dot is at `dot`, when nothing but a name is before it and its ending is a known one. */
export function domainAt(text: string, dot: number): Finding | undefined {
  let start = dot
  while (start > 0 && dot - start < MAX_LABEL_CHARS && isOf(text, start - 1, LABEL)) start -= 1
  const before = text[start - 1] ?? ' '
  if (start === dot || '@/\\_$.#='.includes(before) || isOf(text, start - 1, UNDERSCORE)) return undefined
  let end = dot
  const labels = [text.slice(start, dot)]
  while (text[end] === '.' && labels.length < MAX_LABELS) {
    const next = runEnd(text, end + 1, LABEL, MAX_LABEL_CHARS)
    if (next === end + 1) break
    labels.push(text.slice(end + 1, next))
    end = next
  }
  if (text[end] === '(' || text[end] === '_' || text[end] === '=' || text[end] === '@') return undefined
  if (!isDomain(labels)) return undefined
  if (text[end] === '/') end = urlEnd(text, end)
  return { type: 'URL', start, end, score: 0.5, detector: 'domain' }
}

function isDomain(labels: readonly string[]): boolean {
  const last = (labels.at(-1) ?? '').toLowerCase()
  if (!GENERIC.has(last) && !COUNTRIES.has(last)) return false
  const first = labels[0]?.toLowerCase() ?? ''
  if (first === 'www') return labels.length > 2
  if (!labels.some((label) => /[a-z]/i.test(label)) || first === 'this' || first === 'self') return false
  // `obj.Name` is a property: the ending of a domain is written in small letters, or all of it in capitals.
  if (/^[A-Z][a-z]/.test(labels.at(-1) ?? '')) return false
  const isSecond = ['co', 'com', 'org', 'ac', 'net', 'gov'].includes(labels.at(-2)?.toLowerCase() ?? '')
  return !AMBIGUOUS.has(last) || (isSecond && labels.length > 2)
}
