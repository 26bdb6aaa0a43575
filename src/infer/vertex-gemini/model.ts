/** The version in a model's name, such as 2.5. The newest where it tells none: `gemini-flash-latest`. */
export function geminiVersion(model: string): number {
  const found = /gemini-(\d+(?:\.\d+)?)/.exec(model)
  return found === null ? Number.POSITIVE_INFINITY : Number(found[1])
}
