/** What the tests of the simulated AWS share: services of their own, and the official SDK's settings for them. */
import assert from 'node:assert/strict'
import { S3Client } from '@aws-sdk/client-s3'
import { asRecord, asText } from '#kit/json.ts'
import { type RunningAws, type StartAwsOptions, startAws } from './start-aws.ts'

/** Runs a test against a simulated AWS of its own. */
export async function withAws(body: (aws: RunningAws) => Promise<void>, options: StartAwsOptions = {}): Promise<void> {
  const aws = await startAws(options)
  try {
    await body(aws)
  } finally {
    await aws.close()
  }
}

/** The settings of an SDK client, which tries once: what a test sees is what the service said. */
export function clientSettings(aws: RunningAws, service: keyof RunningAws['urls']) {
  const { region, accessKeyId, secretAccessKey } = aws
  return { endpoint: aws.urls[service], region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 }
}

/** The settings for a client whose own choice is HTTP/2, which the stand-ins do not speak: the handler of the S3 client. */
export function http1Settings(aws: RunningAws, service: keyof RunningAws['urls']) {
  const { requestHandler } = new S3Client({ region: aws.region }).config
  return { ...clientSettings(aws, service), requestHandler }
}

/** Expects a refusal of the SDK, by its name, status, and a part of its message. */
export async function refused(call: Promise<unknown>, name: string, status: number, message = /./): Promise<void> {
  await assert.rejects(call, (error) => {
    const read = asRecord(error)
    assert.ok(error instanceof Error && read !== undefined, String(error))
    const seen = [error.name, asRecord(read['$metadata'])?.['httpStatusCode']]
    assert.deepEqual(seen, [name, status], `${error.name}: ${error.message}`)
    assert.match(error.message, message)
    return true
  })
}

/** A header of what the SDK got. */
export function headerOf(response: unknown, name: string): string | undefined {
  return asText(asRecord(asRecord(response)?.['headers'])?.[name])
}
