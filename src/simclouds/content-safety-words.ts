/** What the service looks for. */
export const CATEGORIES = ['Hate', 'SelfHarm', 'Sexual', 'Violence'] as const

export type Category = (typeof CATEGORIES)[number]

/** Own, short and mild lists: enough to show a block at every level, no claim to catch anything real. */
const PHRASES: Readonly<Record<Category, readonly (readonly [pattern: RegExp, severity: number])[]>> = {
  Hate: [
    [/\bi (hate|despise) all\b/i, 4],
    [/\bthey are (vermin|subhuman)\b/i, 6],
    [/\bgo back to (your|their) country\b/i, 3],
    [/\bpeople like (you|them) are (worthless|inferior)\b/i, 4],
  ],
  SelfHarm: [
    [/\bkill myself\b/i, 6],
    [/\b(end my (own )?life|hurt myself|harm myself)\b/i, 5],
    [/\bi (don'?t|do not) want to live\b/i, 4],
    [/\bself[- ]harm\b/i, 2],
  ],
  Sexual: [
    [/\bexplicit (sexual|erotic) (story|scene|content)\b/i, 4],
    [/\b(erotic|pornographic)\b/i, 4],
    [/\bnude (photos?|pictures?)\b/i, 3],
  ],
  Violence: [
    [/\bhow (to|do i|can i|would i) (build|make|assemble) (a |an )?(\w+ )?(bomb|explosives?)\b/i, 6],
    [/\bi (will|am going to|want to) (kill|stab|shoot) (him|her|them|you|my|the)\b/i, 6],
    [/\b(beat|punch) (him|her|them) up\b/i, 3],
    [/\b(gun|knife) fight\b/i, 2],
  ],
}

const ATTACKS: readonly RegExp[] = [
  /\b(ignore|disregard|forget|override)( \w+){0,3} (previous|prior|above|earlier|preceding|system)( \w+){0,2} (instructions?|rules|prompts?|messages?|directions)\b/i,
  /\b(ignore|disregard) (your|all|the|any) (instructions?|rules|guidelines|guardrails)\b/i,
  /\b(reveal|print|show|repeat|output)( \w+){0,3} (system|hidden|initial) (prompt|instructions?|message)\b/i,
  /\byou are (now|going to pretend to be) (dan|an? (unrestricted|unfiltered|jailbroken))\b/i,
  /\bdo anything now\b/i,
  /\b(developer|debug|god|jailbreak) mode (enabled|activated|on)\b/i,
  /\bif you are( \w+){0,4} (assistant|ai|language model|llm)\b.*\b(follow|must|should|send|forward|do)\b/is,
  /\[(system|admin|developer) ?(annotation|message|override|note)\b/i,
  /<\/?(system|instructions?)>/i,
]

/** Severity of one category on the scale from 0 to 7. */
export function severityOf(category: Category, text: string): number {
  return PHRASES[category].reduce(
    (worst, [pattern, severity]) => (pattern.test(text) ? Math.max(worst, severity) : worst),
    0,
  )
}

/** Whether the text tries to take the model over. */
export function isAttack(text: string): boolean {
  return ATTACKS.some((pattern) => pattern.test(text))
}

/** A verse of our own that stands for every protected one. */
const VERSE = /three clouds went walking over the sea,? one kept the ledger/i

/** Whether the text holds a work that the stand-in knows. */
export function isProtected(text: string): boolean {
  return VERSE.test(text)
}
