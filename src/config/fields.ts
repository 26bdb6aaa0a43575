import { z } from 'zod'

/* Fields that several sections of the configuration have. */

export const name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'use lower-case letters, digits, `.`, `_` and `-`, at most 63, beginning with a letter or digit',
  )

export const url = z
  .string()
  .regex(/^https?:\/\/[^\s/?#]+(?:\/[^\s?#]*[^\s/?#])?$/, 'write an http or https URL without a slash at the end')

export const place = z
  .strictObject({
    cloud: z
      .enum(['azure', 'aws', 'gcp', 'local'])
      .describe('The cloud; `local` for this machine or your own network.'),
    region: z
      .string()
      .min(1)
      .describe("The cloud's own name of the region, such as `eastus`, `us-east-1`, `us-east4`."),
  })
  .describe('Where something runs: decides latency, egress price and jurisdiction.')

export const secret = z
  .union(
    [
      z.strictObject({ env: z.string().min(1).describe('Name of the environment variable that holds the value.') }),
      z.strictObject({
        file: z.string().min(1).describe('File that holds the value; a line feed at its end is cut off.'),
      }),
    ],
    { error: 'write `{ env: NAME }` or `{ file: PATH }`: secrets stand in the configuration by reference only' },
  )
  .describe('A secret by reference. Values themselves are never written into the configuration.')

export const ms = (value: number, what: string) =>
  z.int().min(1).max(3_600_000).default(value).describe(`${what} In milliseconds, default ${value}.`)

export const tags = z
  .array(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'use lower-case letters, digits, `.`, `_` and `-`'))
  .default([])

export const vkey = z
  .string()
  .regex(
    /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/,
    'write a verifier key as `thinplane audit key` prints it: `name+id+key`',
  )

export const logName = z
  .string()
  .regex(/^[^\s+]+$/, 'write a URL without its scheme, such as `audit.example.com/gateway`: no blanks, no `+`')
