import { join } from 'node:path'
import { canonicalJson } from '#kit/canonical-json.ts'
import { forgetTenant } from '#record/digests.ts'
import { openAuditLog } from '#record/log.ts'
import { adminEventRecord } from '#record/ocsf-admin.ts'
import type { Given } from '#bin/command.ts'
import { keyDestroyed } from '#bin/admin-record.ts'
import { placeOf } from './place.ts'

/**
 * `audit forget`: destroys the key of a tenant's digests and pseudonyms, so that nobody can link them to texts or
 * people any more. The trail says that it happened: written here, or by the gateway that runs when it notices.
 */
export async function forget(given: Given, tenant: string): Promise<number> {
  const { data, audit } = await placeOf(given)
  if (!(await forgetTenant(join(data, 'tenants'), tenant))) {
    process.stderr.write(`there is no key of a tenant ${tenant} in ${data}\n`)
    return 1
  }
  const log = await openAuditLog(audit).catch(() => undefined)
  if (log === undefined) {
    process.stdout.write(
      `the key is destroyed; the gateway that runs notes it in the trail at the tenant's next request\n`,
    )
    return 0
  }
  try {
    await log.append(canonicalJson(adminEventRecord({ ...keyDestroyed(tenant, Date.now()), actor: 'cli' }, 0)))
  } finally {
    await log.close()
  }
  process.stdout.write('the key is destroyed, and the trail says so\n')
  return 0
}
