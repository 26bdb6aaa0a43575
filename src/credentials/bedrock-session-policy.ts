/** Prefixes of cross-region inference profiles (AWS CDK, CrossRegionInferenceProfileRegion; read 2026-11). */
const PROFILE = /^(?:us|eu|apac|jp|au|us-gov|global)\.(.+)$/
const INVOKE = { Effect: 'Allow', Action: 'bedrock:InvokeModel*' } as const

/**
 * The most that a session for one Bedrock model may do, as an IAM policy: call this model, and nothing else. A profile
 * needs the models behind it in every region that it may choose.
 */
export function bedrockSessionPolicy(model: string, roleArn: string): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statementsOf(model, roleArn) })
}

function statementsOf(model: string, roleArn: string): readonly object[] {
  const [, partition = 'aws', , , account = '*'] = roleArn.split(':')
  const anyModel = `arn:${partition}:bedrock:*::foundation-model`
  if (model.startsWith('arn:')) {
    if (!model.includes('inference-profile/')) return [{ ...INVOKE, Resource: model }]
    // Which models are behind such a profile is not known here: they are allowed through it alone.
    const through = { Condition: { StringEquals: { 'bedrock:InferenceProfileArn': model } } }
    return [
      { ...INVOKE, Resource: model },
      { ...INVOKE, Resource: `${anyModel}/*`, ...through },
    ]
  }
  const inProfile = PROFILE.exec(model)?.[1]
  if (inProfile === undefined) return [{ ...INVOKE, Resource: `${anyModel}/${model}` }]
  const profile = `arn:${partition}:bedrock:*:${account}:inference-profile/${model}`
  return [{ ...INVOKE, Resource: [profile, `${anyModel}/${inProfile}`] }]
}
