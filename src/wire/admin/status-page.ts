/** The status page at `/`. */
export function statusPage(): string {
  return '<!doctype html><title>Thinplane</title>'
}
