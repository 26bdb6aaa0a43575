const BAR_CHARS = 24
const EVERY_MS = 100

/** How far something is that has a known end. */
export interface ProgressBar {
  show(done: number, all: number): void
  /** Takes the bar off the screen. */
  end(): void
}

/** A bar on a terminal; nothing elsewhere. */
export function createProgressBar(label: string, to: NodeJS.WriteStream): ProgressBar {
  let [shownAt, isShown] = [performance.now(), false]
  return {
    show(done, all) {
      if (!to.isTTY || performance.now() - shownAt < EVERY_MS) return
      ;[shownAt, isShown] = [performance.now(), true]
      const share = all === 0 ? 1 : done / all
      const filled = Math.round(share * BAR_CHARS)
      to.write(`\r${label} [${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}] ${Math.round(share * 100)} %`)
    },
    end() {
      if (isShown) to.write(`\r${' '.repeat(label.length + BAR_CHARS + 9)}\r`)
    },
  }
}
