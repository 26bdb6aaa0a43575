/** Bytes or text that are not what they should be: the only error that this folder throws. */
export class TlogError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'TlogError'
  }
}
