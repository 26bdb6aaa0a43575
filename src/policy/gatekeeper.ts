import { stringify } from 'yaml'

/*
 * Part of what policy says, in a form that a Kubernetes cluster enforces: constraint templates and constraints for
 * Gatekeeper (3.18 or newer, whose CEL engine is stable), which Azure Policy installs on Arc-enabled clusters.
 */

/** What the constraints hold clusters to. An empty list leaves its constraint out. */
export interface GatekeeperFacts {
  /** Regions in which pods of the planes may run, as clusters name them (`topology.kubernetes.io/region`). */
  readonly regions: readonly string[]
  /** Hosts of model endpoints that applications reach through the gateway only. */
  readonly modelHosts: readonly string[]
  /** Image name prefixes that pods of the planes may come from. */
  readonly registries: readonly string[]
  /** `dryrun` reports, `warn` tells who applies, `deny` refuses. */
  readonly enforcement: 'dryrun' | 'warn' | 'deny'
}

/** One constraint template with its constraint. */
interface Rule {
  readonly kind: string
  readonly name: string
  readonly about: string
  readonly parameter: string
  readonly values: readonly string[]
  readonly variables: readonly { readonly name: string; readonly expression: string }[]
  readonly expression: string
  readonly messageExpression: string
  /** Pods of the planes, or all the others. */
  readonly pods: 'planes' | 'others'
}

/** Pods of a plane carry this label, with `control`, `data` or `compute`. */
export const PLANE_LABEL = 'thinplane.dev/plane'

/** Names of variables that hold long-lived cloud keys: the SDKs of AWS, Google Cloud and Azure read them. */
const STATIC_KEYS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AZURE_CLIENT_SECRET',
  'GOOGLE_APPLICATION_CREDENTIALS',
]

const CONTAINERS = {
  name: 'containers',
  expression:
    'object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []) + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : [])',
}

/** Every rule, those without values included. */
export function gatekeeperRules(facts: GatekeeperFacts): readonly Rule[] {
  return [
    {
      kind: 'ThinplanePlaneRegion',
      name: 'thinplane-plane-region',
      about: 'Pods of the planes name a region that policy permits.',
      parameter: 'regions',
      values: facts.regions,
      variables: [
        {
          name: 'region',
          expression:
            "has(object.spec.nodeSelector) && 'topology.kubernetes.io/region' in object.spec.nodeSelector ? object.spec.nodeSelector['topology.kubernetes.io/region'] : ''",
        },
      ],
      expression: 'variables.region in variables.params.regions',
      messageExpression:
        "variables.region == '' ? 'set nodeSelector topology.kubernetes.io/region to one of ' + variables.params.regions.join(', ') : 'region ' + variables.region + ' is not permitted, use one of ' + variables.params.regions.join(', ')",
      pods: 'planes',
    },
    {
      kind: 'ThinplaneNoStaticKeys',
      name: 'thinplane-no-static-keys',
      about: 'Pods of the planes hold no long-lived cloud keys: access between clouds is by workload identity.',
      parameter: 'names',
      values: STATIC_KEYS,
      variables: [CONTAINERS],
      expression: 'variables.containers.all(c, !has(c.env) || c.env.all(e, !(e.name in variables.params.names)))',
      messageExpression: "'use workload identity instead of ' + variables.params.names.join(', ')",
      pods: 'planes',
    },
    {
      kind: 'ThinplaneImages',
      name: 'thinplane-images',
      about: 'Pods of the planes run images of known registries, by digest.',
      parameter: 'registries',
      values: facts.registries,
      variables: [CONTAINERS],
      expression:
        "variables.containers.all(c, c.image.contains('@sha256:') && variables.params.registries.exists(r, c.image.startsWith(r)))",
      messageExpression: "'use images by digest from ' + variables.params.registries.join(', ')",
      pods: 'planes',
    },
    {
      kind: 'ThinplaneModelEndpoints',
      name: 'thinplane-model-endpoints',
      about: 'Applications reach models through the gateway, not by themselves.',
      parameter: 'hosts',
      values: facts.modelHosts,
      variables: [CONTAINERS],
      expression:
        'variables.containers.all(c, !has(c.env) || c.env.all(e, !has(e.value) || !variables.params.hosts.exists(h, e.value.contains(h))))',
      messageExpression: "'an environment variable names a model endpoint, use the gateway instead'",
      pods: 'others',
    },
  ]
}

/** The documents, as one YAML stream for `kubectl apply`: templates first. */
export function gatekeeperYaml(facts: GatekeeperFacts): string {
  const rules = gatekeeperRules(facts).filter(({ values }) => values.length > 0)
  const documents = [...rules.map(template), ...rules.map((rule) => constraint(rule, facts.enforcement))]
  return documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n')
}

function template({ kind, about, parameter, variables, expression, messageExpression }: Rule): unknown {
  return {
    apiVersion: 'templates.gatekeeper.sh/v1',
    kind: 'ConstraintTemplate',
    metadata: { name: kind.toLowerCase(), annotations: { description: about } },
    spec: {
      crd: {
        spec: {
          names: { kind },
          validation: {
            openAPIV3Schema: {
              type: 'object',
              properties: { [parameter]: { type: 'array', items: { type: 'string' } } },
            },
          },
        },
      },
      targets: [
        {
          target: 'admission.k8s.gatekeeper.sh',
          code: [
            {
              engine: 'K8sNativeValidation',
              source: { failurePolicy: 'Fail', variables, validations: [{ expression, messageExpression }] },
            },
          ],
        },
      ],
    },
  }
}

function constraint({ kind, name, parameter, values, pods }: Rule, enforcementAction: string): unknown {
  const operator = pods === 'planes' ? 'Exists' : 'DoesNotExist'
  return {
    apiVersion: 'constraints.gatekeeper.sh/v1beta1',
    kind,
    metadata: { name },
    spec: {
      enforcementAction,
      match: {
        kinds: [{ apiGroups: [''], kinds: ['Pod'] }],
        excludedNamespaces: ['kube-*', 'gatekeeper-system', 'azure-arc'],
        labelSelector: { matchExpressions: [{ key: PLANE_LABEL, operator }] },
      },
      parameters: { [parameter]: values },
    },
  }
}
