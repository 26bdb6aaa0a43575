import { S3Problem } from './problem.ts'
import { innerOf } from './xml.ts'

/**
 * What is in the root element of a request's body.
 * @throws {S3Problem} MalformedXML when it is another document, or none.
 */
export function readDocument(body: Uint8Array, root: string): string {
  const text = Buffer.from(body).toString('utf8').trim()
  const [inner] = innerOf(text, root)
  if (inner === undefined || !text.endsWith(`</${root}>`))
    throw new S3Problem(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  return inner
}
