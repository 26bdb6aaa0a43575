import { ALPHANUMERIC, BASE64URL, DIGIT, HEX, HEX_LOWER, LOWER, WORD } from '#detect/charset.ts'
import { type Rule, shape } from './rule.ts'

/**
 * Where code, packages and builds live. Prefixes, alphabets and lengths as the issuers document them for secret
 * scanning: docs.github.com (token formats), docs.gitlab.com (token prefixes), docs.npmjs.com, pypi.org/help,
 * guides.rubygems.org, developer.atlassian.com, docs.docker.com, sourcegraph.com/docs, docs.sonarsource.com.
 */
export const CODE_HOSTS: readonly Rule[] = [
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'].map((prefix) => shape('github-token', prefix, [[ALPHANUMERIC, 36, 255]])),
  shape('github-fine-grained-token', 'github_pat_', [[WORD, 60, 255]]),
  ...['glpat-', 'gldt-', 'glft-', 'glrt-', 'glrtr-', 'glimt-', 'glcbt-', 'glffct-', 'glsoat-', 'glagent-', 'glwt-'].map(
    (prefix) => shape('gitlab-token', prefix, [[BASE64URL | 32, 20, 300]]),
  ),
  shape('gitlab-trigger-token', 'glptt-', [[HEX_LOWER, 40, 40]]),
  shape('gitlab-application-secret', 'gloas-', [[BASE64URL, 64, 64]]),
  shape('gitlab-runner-registration', 'GR1348941', [[BASE64URL, 20, 20]]),
  shape('gitlab-session', '_gitlab_session=', [[ALPHANUMERIC, 32, 32]], { notBefore: 0 }),
  shape('bitbucket-app-password', 'ATBB', [[ALPHANUMERIC, 28, 40]]),
  shape('atlassian-token', 'ATATT3', [[BASE64URL | 64, 60, 255]]),
  shape('atlassian-token', 'ATCTT3', [[BASE64URL | 64, 60, 255]]),
  shape('trello-token', 'ATTA', [[HEX_LOWER, 64, 80]]),
  shape('npm-token', 'npm_', [[ALPHANUMERIC, 36, 36]]),
  shape('pypi-token', 'pypi-AgEIcHlwaS5vcmc', [[BASE64URL, 50, 1000]]),
  shape('pypi-token', 'pypi-AgENdGVzdC5weXBpLm9yZw', [[BASE64URL, 50, 1000]]),
  shape('rubygems-token', 'rubygems_', [[HEX_LOWER, 48, 48]]),
  shape('clojars-token', 'CLOJARS_', [[ALPHANUMERIC, 60, 60]], { anyCase: true }),
  shape('nuget-key', 'oy2', [[LOWER | DIGIT, 43, 43]]),
  shape('crates-io-token', 'cio', [[ALPHANUMERIC, 32, 32]], { score: 0.8, distinct: 10 }),
  shape('docker-token', 'dckr_pat_', [[BASE64URL, 24, 40]]),
  shape('docker-token', 'dckr_oat_', [[BASE64URL, 24, 60]]),
  shape('docker-swarm-token', 'SWMTKN-1-', [[LOWER | DIGIT, 40, 64], '-', [LOWER | DIGIT, 20, 40]]),
  shape('sourcegraph-token', 'sgp_', [[WORD, 40, 80]]),
  shape('sonar-token', 'squ_', [[HEX_LOWER, 40, 40]]),
  shape('sonar-token', 'sqp_', [[HEX_LOWER, 40, 40]]),
  shape('sonar-token', 'sqa_', [[HEX_LOWER, 40, 40]]),
  shape('circleci-token', 'CCIPAT_', [[WORD, 40, 80]]),
  shape('buildkite-token', 'bkua_', [[HEX_LOWER, 40, 40]]),
  shape('postman-key', 'PMAK-', [[HEX, 24, 24], '-', [HEX, 34, 34]], { anyCase: true }),
  shape('postman-key', 'PMAT-', [[ALPHANUMERIC, 26, 40]]),
  shape('artifactory-key', 'AKCp', [[ALPHANUMERIC, 69, 69]], { distinct: 10 }),
  shape('artifactory-reference-token', 'cmVmd', [[ALPHANUMERIC, 59, 59]], { distinct: 10 }),
  shape('figma-token', 'figd_', [[BASE64URL, 38, 60]]),
  shape('readme-key', 'rdme_', [[LOWER | DIGIT, 70, 70]]),
]
