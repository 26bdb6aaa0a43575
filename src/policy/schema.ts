/**
 * What policies can read: the Cedar schema that every policy file is validated against at load.
 * docs/policy.md explains each name; the questions are put together in question.ts.
 */
export const POLICY_SCHEMA = `
namespace Thinplane {
  // In the time zone of the configuration (policy.timeZone). weekday: 1 is Monday, 7 is Sunday.
  type Time = { now: datetime, hour: Long, weekday: Long };

  entity Role;
  entity Group;
  entity Caller in [Role, Group] {
    tenant: String,
    subject: String,
    kind: String,
    via: String,
    client: String,
    agent: Bool,
  };
  entity Alias { residency: String, tags: Set<String> };
  entity Collection { labels: Set<String> };
  entity Target {
    cloud: String,
    region: String,
    jurisdiction: String,
    provider: String,
    tags: Set<String>,
    simulated: Bool,
  };

  // Before the guard. "oblige" grants nothing: its permits only add obligations.
  action use, oblige appliesTo {
    principal: Caller,
    resource: Alias,
    context: { dialect: String, purpose: String, labels: Set<String>, time: Time, budget: String },
  };
  action ground appliesTo {
    principal: Caller,
    resource: Collection,
    context: { alias: String, purpose: String, time: Time },
  };

  // After the guard, once for each target of the alias.
  action release appliesTo {
    principal: Caller,
    resource: Target,
    context: {
      alias: String,
      residency: String,
      purpose: String,
      grounded: Bool,
      labels: Set<String>,
      findings: Set<String>,
      classes: Set<String>,
      remaining: Set<String>,
      time: Time,
      budget: String,
    },
  };
}
`

/** The actions, in the order in which a request meets them. */
export const ACTIONS = ['use', 'oblige', 'ground', 'release'] as const
export type Action = (typeof ACTIONS)[number]
