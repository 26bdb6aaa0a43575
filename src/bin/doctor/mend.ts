import type { CredentialFault } from '#credentials/credential-fault.ts'
import type { CredentialConfig } from '#config/schema.ts'
import type { CredentialTarget } from '#config/secrets.ts'
import { bedrockSessionPolicy } from '#credentials/bedrock-session-policy.ts'
import { audienceOf } from '#bin/token-sources.ts'
import type { TokenFacts } from './facts.ts'
import type { Subject } from './walk.ts'

type Kind<Name extends CredentialConfig['kind']> = Extract<CredentialConfig, { kind: Name }>
type Google = Kind<'google-id-token' | 'google-access-token'>

export function resolveMend(host: string): string[] {
  return [`mend \`endpoint\`, or let the DNS of this machine know \`${host}\``]
}

export function connectMend(endpoint: string, message: string): string[] {
  return /CERT|SIGNATURE|ISSUER|ALTNAME/.test(message)
    ? [`its certificate is not trusted here: for a CA of your own start with NODE_EXTRA_CA_CERTS=FILE`]
    : [`open the way to ${new URL(endpoint).host} in firewalls and proxies, and see that it listens`]
}

/** What to change for an exchange that was refused, with the statement to add. */
export function credentialMend(fault: CredentialFault, { credential }: Subject, facts: TokenFacts): string[] {
  if (fault.issuer === 'entra' || fault.issuer === 'managed-identity') return azureMend(fault, credential)
  if (fault.reason === 'none') return ['nobody refused: see that this machine reaches it, and try again']
  if (credential.kind === 'aws-web-identity') return awsMend(fault, credential, facts)
  return credential.kind === 'google-id-token' || credential.kind === 'google-access-token'
    ? googleMend(fault, credential, facts)
    : []
}

function azureMend({ reason, issuer, message }: CredentialFault, credential: CredentialConfig): string[] {
  const identity = 'identity' in credential ? credential.identity : credential
  const resource = 'scope' in identity ? identity.scope.replace(/\/\.default$/, '') : ''
  if (reason === 'audience' || message.includes('AADSTS500011'))
    return [
      'register an application that stands for the other cloud:',
      `  az ad app create --display-name thinplane-federation --identifier-uris ${resource}`,
      `  az ad sp create --id ${resource}`,
    ]
  if (issuer === 'managed-identity')
    return reason === 'none'
      ? ['run this where Azure gives it a managed identity; elsewhere use `entra-workload`, or `entra-client`']
      : [
          'assign an identity to what this runs on:',
          '  az containerapp identity assign --name APP --resource-group GROUP --system-assigned',
          '  az vm identity assign --name VM --resource-group GROUP',
        ]
  if (identity.kind === 'entra-workload' && reason === 'identity')
    return [
      "let the application trust the platform's token:",
      `  az ad app federated-credential create --id ${identity.clientId} --parameters '{"name":"thinplane","issuer":"ISSUER OF THE TOKEN FILE","subject":"SUBJECT OF THE TOKEN FILE","audiences":["api://AzureADTokenExchange"]}'`,
    ]
  return ['compare `clientId`, `tenant`, `scope` and the secret with the registration of the application in Entra']
}

function awsMend({ reason }: CredentialFault, { roleArn }: Kind<'aws-web-identity'>, facts: TokenFacts): string[] {
  const { issuer = 'ISSUER', audience = 'AUDIENCE' } = facts
  const role = roleArn.split('/').at(-1) ?? ''
  switch (reason) {
    case 'provider':
      return [
        'create the OIDC provider:',
        `  aws iam create-open-id-connect-provider --url ${issuer} --client-id-list ${audience}`,
      ]
    case 'audience':
      return [
        'let the OIDC provider accept this audience:',
        `  aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${providerArn(roleArn, issuer)} --client-id ${audience}`,
      ]
    case 'trust':
      return [
        `add this statement to the trust policy of the role; if it has no other, save as trust.json and run aws iam update-assume-role-policy --role-name ${role} --policy-document file://trust.json`,
        ...indented(JSON.stringify(trustPolicy(roleArn, facts), undefined, 2)),
      ]
    case 'issuer':
    case 'binding':
    case 'token':
    case 'request':
    case 'identity':
    case 'none':
      return otherwise(reason, issuer)
  }
}

/** The trust policy of the role. Without the subject anybody in the directory could assume it. */
export function trustPolicy(roleArn: string, { issuer = 'ISSUER', audience, subject }: TokenFacts): object {
  const provider = issuer.replace(/^https?:\/\//, '')
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: providerArn(roleArn, issuer) },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: {
          StringEquals: { [`${provider}:aud`]: audience ?? 'AUDIENCE', [`${provider}:sub`]: subject ?? 'SUBJECT' },
        },
      },
    ],
  }
}

function providerArn(roleArn: string, issuer: string): string {
  const [, partition = 'aws', , , account = ''] = roleArn.split(':')
  return `arn:${partition}:iam::${account}:oidc-provider/${issuer.replace(/^https?:\/\//, '')}`
}

function googleMend({ reason }: CredentialFault, config: Google, facts: TokenFacts): string[] {
  const { issuer = 'ISSUER', audience = 'AUDIENCE', subject = 'SUBJECT' } = facts
  const [, project = '', , , , pool = '', , provider = ''] = config.provider.split('/')
  const at = `${provider} --project=${project} --location=global --workload-identity-pool=${pool}`
  switch (reason) {
    case 'provider':
      return [
        'create the pool and its provider:',
        `  gcloud iam workload-identity-pools create ${pool} --project=${project} --location=global`,
        `  gcloud iam workload-identity-pools providers create-oidc ${at} --issuer-uri=${issuer} --allowed-audiences=${audience} --attribute-mapping=google.subject=assertion.sub --attribute-condition="assertion.sub == '${subject}'"`,
      ]
    case 'audience':
      return [
        'let the provider accept this audience, beside those that it has:',
        `  gcloud iam workload-identity-pools providers update-oidc ${at} --allowed-audiences=${audience}`,
      ]
    case 'issuer':
      return [
        "set the provider's issuer to the token's:",
        `  gcloud iam workload-identity-pools providers update-oidc ${at} --issuer-uri=${issuer}`,
      ]
    case 'trust':
      return [
        'let the condition of the provider accept this identity:',
        `  gcloud iam workload-identity-pools providers update-oidc ${at} --attribute-condition="assertion.sub == '${subject}'"`,
      ]
    case 'binding':
      return bindingMend(config, project, pool, subject)
    case 'token':
    case 'request':
    case 'identity':
    case 'none':
      return otherwise(reason, issuer)
  }
}

function otherwise(reason: CredentialFault['reason'], issuer: string): string[] {
  return reason === 'token'
    ? [`set the clock of this machine, and let the provider be for exactly \`${issuer}\``]
    : ['compare `credential` with docs/keyless.md']
}

function bindingMend({ kind, serviceAccount = '' }: Google, project: string, pool: string, subject: string): string[] {
  const member = `principal://iam.googleapis.com/projects/${project}/locations/global/workloadIdentityPools/${pool}/subject/${subject}`
  const bind = (role: string): string =>
    `  gcloud iam service-accounts add-iam-policy-binding ${serviceAccount} --role=${role} --member=${member}`
  return [
    'let this identity act as the service account:',
    bind('roles/iam.workloadIdentityUser'),
    ...(kind === 'google-id-token' ? [bind('roles/iam.serviceAccountOpenIdTokenCreator')] : []),
  ]
}

/** What to change when everything was issued and the target still says 401 or 403. */
export function refusedMend(
  status: number,
  { credential, endpoint, place }: Subject,
  target: CredentialTarget,
  { subject = 'OBJECT_ID' }: TokenFacts,
): string[] {
  switch (credential.kind) {
    case 'google-id-token':
      return status === 401
        ? [
            `the token is for \`${audienceOf(credential, target)}\`: write the URL of the Cloud Run service as \`audience\`, if it is another`,
          ]
        : [
            'let the service account invoke the service:',
            `  gcloud run services add-iam-policy-binding SERVICE --region=${place.region} --member=serviceAccount:${credential.serviceAccount} --role=roles/run.invoker`,
          ]
    case 'google-access-token':
      return [
        'let the identity use Vertex AI:',
        `  gcloud projects add-iam-policy-binding PROJECT --role=roles/aiplatform.user --member=${
          credential.serviceAccount === undefined
            ? `principal://iam.googleapis.com/${credential.provider.replace(/\/providers\/.*$/, '')}/subject/${subject}`
            : `serviceAccount:${credential.serviceAccount}`
        }`,
      ]
    case 'aws-web-identity': {
      const policy = JSON.stringify(JSON.parse(bedrockSessionPolicy(target.model, credential.roleArn)), undefined, 2)
      return [
        `let the role call the model, and see that the account has access to it: save as policy.json, then aws iam put-role-policy --role-name ${credential.roleArn.split('/').at(-1) ?? ''} --policy-name thinplane --policy-document file://policy.json`,
        ...indented(policy),
      ]
    }
    case 'entra-client':
    case 'entra-managed-identity':
    case 'entra-workload':
    case 'entra-obo':
      return [
        'give the identity a role on the resource:',
        `  az role assignment create --assignee-object-id ${subject} --assignee-principal-type ServicePrincipal --role "Cognitive Services OpenAI User" --scope RESOURCE_ID`,
      ]
    case 'none':
      return [`${new URL(endpoint).host} wants a credential: set \`credential\` of the target`]
    case 'header':
    case 'aws-sigv4':
      return ['it does not take the stored secret: look whether it is current, and what it is allowed to do']
  }
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`)
}
