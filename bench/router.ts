import type { Section } from './report.ts'
import { brownOut } from './router/brown-out.ts'
import { coldStart } from './router/cold-start.ts'
import { prefix } from './router/prefix.ts'
import type { Surroundings } from './sides.ts'

/** Parts of the suite that are about the choice of a target; `router` is all of them. */
export const ROUTER_PARTS = ['router', 'router-cold-start', 'router-prefix', 'router-brown-out'] as const
export type RouterPart = (typeof ROUTER_PARTS)[number]

const SCENARIOS: Readonly<
  Record<Exclude<RouterPart, 'router'>, (surroundings: Surroundings, quick: boolean) => Promise<Section>>
> = {
  'router-cold-start': coldStart,
  'router-prefix': prefix,
  'router-brown-out': brownOut,
}

/** Runs one scenario, or all of them, against simulated services that sleep, remember and slow down. */
export async function runRouter(part: RouterPart, surroundings: Surroundings, quick: boolean): Promise<Section[]> {
  const sections: Section[] = []
  for (const [name, scenario] of Object.entries(SCENARIOS))
    if (part === 'router' || part === name) sections.push(await scenario(surroundings, quick))
  return sections
}
