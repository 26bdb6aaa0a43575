import {
  ALPHANUMERIC,
  BASE64,
  BASE64URL,
  DIGIT,
  DOT,
  EQUALS,
  HEX_LOWER,
  HYPHEN,
  LOWER,
  PERCENT,
  UPPER,
  WORD,
} from '#detect/charset.ts'
import { type Rule, shape } from './rule.ts'

/**
 * Clouds, hosting, infrastructure. Formats from the vendors' own pages: docs.aws.amazon.com/IAM (unique identifiers),
 * cloud.google.com/docs/authentication, learn.microsoft.com (storage, shared access signatures, application secrets),
 * docs.digitalocean.com/reference/api, fly.io/docs, planetscale.com/docs, pulumi.com/docs, developer.hashicorp.com
 * (Vault and Terraform tokens), devcenter.heroku.com, alibabacloud.com/help, yandex.cloud/docs/iam, tailscale.com/kb,
 * docs.openshift.com, docs.doppler.com, netlify docs, developers.cloudflare.com.
 */
export const CLOUDS: readonly Rule[] = [
  ...['AKIA', 'ASIA', 'ABIA', 'ACCA'].map((prefix) => shape('aws-access-key-id', prefix, [[UPPER | DIGIT, 16, 16]])),
  shape('google-api-key', 'AIza', [[BASE64URL, 35, 35]]),
  shape('google-oauth-secret', 'GOCSPX-', [[BASE64URL, 28, 28]]),
  shape('google-access-token', 'ya29.', [[BASE64URL | DOT, 20, 2048]]),
  shape('google-refresh-token', '1//0', [[BASE64URL, 40, 200]]),
  shape('azure-shared-access-signature', 'sig=', [[ALPHANUMERIC | PERCENT | BASE64, 44, 60]], {
    distinct: 12,
    score: 0.9,
  }),
  shape('alibaba-access-key-id', 'LTAI', [[ALPHANUMERIC, 12, 26]], { distinct: 6 }),
  shape('tencent-secret-id', 'AKID', [[ALPHANUMERIC, 32, 32]], { distinct: 8 }),
  ...['dop_v1_', 'doo_v1_', 'dor_v1_'].map((prefix) => shape('digitalocean-token', prefix, [[HEX_LOWER, 64, 64]])),
  shape('heroku-key', 'HRKU-', [[BASE64URL, 30, 80]]),
  ...['fm1_', 'fm2_', 'fm1a_', 'fm1r_'].map((prefix) =>
    shape('fly-token', prefix, [[ALPHANUMERIC | BASE64, 80, 600]], { distinct: 12 }),
  ),
  shape('fly-token', 'fo1_', [[BASE64URL, 43, 43]], { distinct: 12 }),
  ...['pscale_tkn_', 'pscale_oauth_', 'pscale_pw_'].map((prefix) =>
    shape('planetscale-token', prefix, [[BASE64URL | EQUALS | DOT, 32, 64]]),
  ),
  shape('pulumi-token', 'pul-', [[HEX_LOWER, 40, 40]]),
  ...['hvs.', 'hvb.', 'hvr.'].map((prefix) => shape('vault-token', prefix, [[BASE64URL, 60, 300]], { distinct: 8 })),
  shape('vault-token', 'hvs.', [[BASE64URL, 24, 40]], { distinct: 8 }),
  shape('tailscale-key', 'tskey-', [[LOWER, 3, 12], '-', [ALPHANUMERIC, 8, 24], '-', [ALPHANUMERIC, 16, 64]]),
  shape('openshift-token', 'sha256~', [[BASE64URL, 43, 43]]),
  ...['dp.pt.', 'dp.st.', 'dp.ct.', 'dp.sa.', 'dp.scim.', 'dp.audit.'].map((prefix) =>
    shape('doppler-token', prefix, [[ALPHANUMERIC | DOT | BASE64URL, 40, 90]]),
  ),
  shape('netlify-token', 'nfp_', [[ALPHANUMERIC, 36, 48]]),
  shape('render-key', 'rnd_', [[ALPHANUMERIC, 28, 40]]),
  shape('supabase-token', 'sbp_', [[HEX_LOWER, 40, 40]]),
  shape('supabase-secret', 'sb_secret_', [[BASE64URL, 22, 60]]),
  shape('cloudflare-origin-ca-key', 'v1.0-', [[HEX_LOWER, 24, 24], '-', [HEX_LOWER, 146, 146]]),
  shape('yandex-token', 't1.', [[BASE64URL | DOT, 60, 400]], { distinct: 16 }),
  shape('yandex-key', 'AQVN', [[BASE64URL, 35, 38]]),
  shape('yandex-static-key', 'YCAJ', [[BASE64URL, 21, 21]]),
  shape('yandex-static-key', 'YC', [[BASE64URL, 38, 38]], { distinct: 16, score: 0.9 }),
  shape('scalingo-token', 'tk-us-', [[BASE64URL, 48, 48]]),
  shape('infracost-key', 'ico-', [[ALPHANUMERIC, 32, 32]], { distinct: 10, notBefore: WORD | HYPHEN | DOT }),
  shape('endorlabs-key', 'endr+', [[BASE64URL, 16, 16]]),
  shape('defined-networking-key', 'dnkey-', [
    [LOWER | DIGIT | HYPHEN | EQUALS, 26, 26],
    '-',
    [LOWER | DIGIT | HYPHEN | EQUALS, 52, 52],
  ]),
  shape('octopus-deploy-key', 'API-', [[UPPER | DIGIT, 26, 26]], { distinct: 8 }),
  shape('akamai-token', 'akab-', [[LOWER | DIGIT, 16, 16], '-', [LOWER | DIGIT, 16, 16]]),
  shape('clickhouse-cloud-key', '4b1d', [[ALPHANUMERIC, 38, 38]], { distinct: 12 }),
  shape('aiven-token', 'AVNS_', [[BASE64URL, 19, 24]]),
  shape('confluent-key', 'cflt', [[ALPHANUMERIC | BASE64, 60, 64]]),
]
