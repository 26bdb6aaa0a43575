import type { Refusal } from '#contract/refusal.ts'
import { challengeOf } from '#wire/challenge.ts'
import type { PageAnswer } from '#wire/serve.ts'
import { PAGE_HEADERS } from './answers.ts'

/** Says why a sign-in did not work, to a person. */
export function signInProblemPage(refusal: Refusal, requestId: string): PageAnswer {
  const sentence = `${refusal.message.charAt(0).toUpperCase()}${refusal.message.slice(1)}.`
  return {
    status: refusal.status,
    headers: {
      ...PAGE_HEADERS,
      ...(refusal.status === 401 ? { 'www-authenticate': challengeOf(refusal) } : {}),
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign-in did not work: Thinplane</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}code{font-size:.85em}</style>
</head>
<body>
<h1>Sign-in did not work</h1>
<p>${escaped(sentence)}</p>
<p><a href="/auth/login">Sign in again</a> or <a href="/">use a key</a>.</p>
<p><code>${escaped(refusal.code)} ${escaped(requestId)}</code></p>
</body>
</html>
`,
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
