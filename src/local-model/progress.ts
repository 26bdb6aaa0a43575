/** Where progress is shown, and how. */
export interface ProgressOptions {
  readonly label: string
  readonly totalMb: number
  /** Gets text that is ready to be written as it is. */
  readonly write: (text: string) => void
  /** One line that is drawn again and again; otherwise a line for every tenth. */
  readonly isTerminal: boolean
}

export interface Progress {
  show(doneMb: number): void
  /** Says that all is done. */
  end(): void
}

const BAR_CHARS = 24
/** The size is known from another run: what is not done says at most this. */
const MOST_UNFINISHED = 0.99

/** Shows how far something is that has a known size. */
export function createProgress({ label, totalMb, write, isTerminal }: ProgressOptions): Progress {
  let lastTenth = -1
  const draw = (doneMb: number, share: number): void => {
    const filled = Math.round(share * BAR_CHARS)
    write(`\r${label} [${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}] ${Math.round(doneMb)} of ${totalMb} MB`)
  }
  const line = (doneMb: number, share: number): void => {
    const tenth = Math.floor(share * 10)
    if (tenth <= lastTenth) return
    lastTenth = tenth
    write(`${label}: ${tenth * 10} %, ${Math.round(doneMb)} of ${totalMb} MB\n`)
  }
  const show = isTerminal ? draw : line
  return {
    show: (doneMb) => show(Math.min(doneMb, totalMb), Math.min(MOST_UNFINISHED, doneMb / totalMb)),
    end: () => {
      show(totalMb, 1)
      if (isTerminal) write('\n')
    },
  }
}
