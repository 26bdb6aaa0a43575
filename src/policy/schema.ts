/** What policies can read: the Cedar schema that every policy file is validated against at load. */
export const POLICY_SCHEMA = `
namespace Thinplane {
  entity Role;
  entity Group;
  entity Caller in [Role, Group] {
    tenant: String,
    subject: String,
    kind: String,
    via: String,
    client: String,
  };
  entity Alias { residency: String };
  entity Collection;
  entity Target { cloud: String, region: String, jurisdiction: String, provider: String };

  action use appliesTo {
    principal: Caller,
    resource: Alias,
    context: { dialect: String },
  };
  action ground appliesTo {
    principal: Caller,
    resource: Collection,
    context: { alias: String },
  };
  action release appliesTo {
    principal: Caller,
    resource: Target,
    context: { alias: String, residency: String, findings: Set<String>, grounded: Bool },
  };
}
`

/** The actions, in the order in which a request meets them. */
export const ACTIONS = ['use', 'ground', 'release'] as const
export type Action = (typeof ACTIONS)[number]
