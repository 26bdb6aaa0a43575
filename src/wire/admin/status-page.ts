import { STATUS_PAGE_CSS } from './status-page.css.ts'
import { STATUS_PAGE_SCRIPT } from './status-page.js.ts'

/**
 * The status page at `/`: one document with its style and script inside, nothing from elsewhere. It holds no data;
 * the script asks the admin API with the key that the reader brings.
 */
export function statusPage(): string {
  return PAGE
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Thinplane</title>
<link rel="icon" href="data:,">
<style>${STATUS_PAGE_CSS}</style>
</head>
<body>
<header class="top"><div>
  <h1><span class="mark" aria-hidden="true"><i></i><i></i><i></i></span>Thinplane</h1>
  <span id="state" class="state" role="status">Asking</span>
  <p id="facts" class="facts small muted"></p>
  <span id="who" class="small" hidden></span>
  <button id="leave" type="button" class="small" hidden>Sign out</button>
  <button id="forget" type="button" class="small" hidden>Forget the key</button>
</div></header>
<main>
  <div id="notices" class="notices" role="alert"></div>
  <noscript><p class="notice">This page asks the admin API by script, which this browser does not run. <code>thinplane audit show ID</code> shows a request in a terminal.</p></noscript>
  <form id="ask" class="panel ask" hidden>
    <h2 id="ask-title">Bring a key</h2>
    <p class="muted">The page shows what this control plane does to whoever has one of the roles admin, auditor, developer or viewer. The key stays in this tab.</p>
    <p id="sign-in" hidden><a id="sign-in-link" class="go" href="/auth/login">Sign in</a></p>
    <label for="key">Key or access token</label>
    <div><input id="key" type="password" autocomplete="off" spellcheck="false" placeholder="tp-…"><button type="submit">Show the plane</button></div>
  </form>
  <div id="plane" hidden>
    <section aria-labelledby="journey-title">
      <h2 id="journey-title">The round a request takes</h2>
      <ol id="journey" class="journey"></ol>
      <p class="return">The answer goes back through control: placeholders restored, one entry recorded, then the caller.</p>
    </section>
    <div class="trio">
      <section class="panel" aria-labelledby="targets-title"><h2 id="targets-title">Targets</h2><div id="targets" class="scroll"></div></section>
      <section class="panel" aria-labelledby="aliases-title"><h2 id="aliases-title">Model aliases</h2><div id="aliases" class="scroll"></div></section>
      <section class="panel" aria-labelledby="audit-title"><h2 id="audit-title">Audit trail</h2><div id="audit"></div></section>
    </div>
    <section class="panel" aria-labelledby="requests-title">
      <h2 id="requests-title">Requests <span id="count" class="muted"></span></h2>
      <div id="empty" class="empty"></div>
      <div id="listed" class="scroll" hidden>
        <table class="requests" role="table" aria-labelledby="requests-title">
          <thead role="rowgroup"><tr role="row">
            <th role="columnheader" scope="col">Time</th>
            <th role="columnheader" scope="col">Caller</th>
            <th role="columnheader" scope="col">Model</th>
            <th role="columnheader" scope="col">Outcome</th>
            <th role="columnheader" scope="col" class="num">Status</th>
            <th role="columnheader" scope="col" class="num">Total</th>
            <th role="columnheader" scope="col" class="num">First content</th>
            <th role="columnheader" scope="col">Lag</th>
            <th role="columnheader" scope="col">Found</th>
            <th role="columnheader" scope="col" class="num">Cost</th>
          </tr></thead>
          <tbody id="rows" role="rowgroup"></tbody>
        </table>
      </div>
    </section>
  </div>
</main>
<script>${STATUS_PAGE_SCRIPT}</script>
</body>
</html>
`
