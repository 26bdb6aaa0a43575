import { randomBytes } from 'node:crypto'
import { z } from 'zod'

/** Keys that STS has issued. */
export interface AwsSession {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiresAtEpochMs: number
  /** Whether the session's own policy allows a request of Bedrock Runtime with this path. */
  readonly allows: (path: string) => boolean
  /** Whether it has a policy of its own. Policies are read for Bedrock only: other services refuse such a session. */
  readonly isRestricted: boolean
}

const Statement = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Action: z.union([z.string(), z.array(z.string())]),
  Resource: z.union([z.string(), z.array(z.string())]),
  Condition: z.unknown().optional(),
})
const Policy = z.object({ Version: z.literal('2012-10-17'), Statement: z.array(Statement).min(1) })

/** @returns undefined when the text is no policy. */
export function readPolicy(text: string): z.infer<typeof Policy> | undefined {
  try {
    const policy = Policy.safeParse(JSON.parse(text))
    return policy.success ? policy.data : undefined
  } catch {
    return undefined
  }
}

/** The sessions that STS has issued and the services of the account accept. */
export class AwsSessions {
  readonly #sessions = new Map<string, AwsSession>()

  /** The session with this access key, also one that has expired. */
  find(accessKeyId: string): AwsSession | undefined {
    return this.#sessions.get(accessKeyId)
  }

  issue(lifetimeS: number, policy: z.infer<typeof Policy> | undefined): AwsSession {
    const session = {
      accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(300).toString('base64'),
      expiresAtEpochMs: Date.now() + lifetimeS * 1000,
      allows: (path: string) => policy === undefined || policyAllows(policy, path),
      isRestricted: policy !== undefined,
    }
    this.#sessions.set(session.accessKeyId, session)
    return session
  }
}

const MODEL_PATH = /^\/model\/([^/]+)\//

/** Actions and resources only: conditions are taken as met. */
function policyAllows(policy: z.infer<typeof Policy>, path: string): boolean {
  const model = MODEL_PATH.exec(path)?.[1]
  const id = model === undefined ? '' : decodeURIComponent(model)
  const action = model === undefined ? 'bedrock:ApplyGuardrail' : 'bedrock:InvokeModel'
  const arns = id.startsWith('arn:')
    ? [id]
    : [
        `arn:aws:bedrock:us-east-1::foundation-model/${id}`,
        `arn:aws:bedrock:us-east-1:123456789012:inference-profile/${id}`,
      ]
  const hits = (effect: 'Allow' | 'Deny'): boolean =>
    policy.Statement.some(
      ({ Effect, Action, Resource }) =>
        Effect === effect &&
        [Action].flat().some((each) => matches(each, action)) &&
        [Resource].flat().some((each) => arns.some((arn) => matches(each, arn))),
    )
  return hits('Allow') && !hits('Deny')
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.?+^$|(){}[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`).test(text)
}
