/**
 * Script of the status page: plain JavaScript for the browser, in one scope. Whatever comes from the server becomes
 * text of a node, never markup. It holds no backtick and no address, so that it can stand in a template as it is.
 */
export const STATUS_PAGE_SCRIPT = String.raw`
(() => {
  'use strict'

  const POLL_MS = 2000
  const STORED = 'thinplane-key'
  const CLOUDS = { azure: ['A', 'Azure'], aws: ['W', 'AWS'], gcp: ['G', 'GCP'], local: ['L', 'this network'] }
  const OUTCOMES = { answered: 'good', blocked: 'shield', denied: 'shield', refused: 'warn', failed: 'bad', abandoned: '' }
  const byId = (id) => document.getElementById(id)
  const seen = { key: readKey(), session: null, barred: false, canSignIn: false, status: null, requests: [], at: 0, drawn: {}, rows: new Map(), open: new Set(), timer: 0, busy: false, first: true }

  // Nodes. Options: class, text, title, label (for narrow tables), cloud, and attributes by name.
  function node(tag, options, children) {
    const made = document.createElement(tag)
    for (const [name, value] of Object.entries(options || {})) {
      if (value === undefined || value === '') continue
      if (name === 'text') made.textContent = String(value)
      else if (name === 'class') made.className = value
      else if (name === 'label') made.dataset.label = value
      else if (name === 'cloud') made.dataset.cloud = value
      else made.setAttribute(name, value)
    }
    for (const child of children || []) if (child !== null && child !== undefined) made.append(child)
    return made
  }
  const replace = (id, children) => byId(id).replaceChildren(...children.filter((child) => child !== null))
  const cloudOf = (place) => (Object.hasOwn(CLOUDS, place.split(':')[0]) ? place.split(':')[0] : 'local')
  const letterOf = (place) => CLOUDS[cloudOf(place)][0]
  const regionOf = (place) => place.split(':').slice(1).join(':')
  const badge = (place) => node('span', { class: 'cloud', cloud: cloudOf(place), text: letterOf(place), 'aria-hidden': 'true' })
  const placeNode = (place) => (place === '' ? node('span', { class: 'muted', text: 'none' }) : node('span', { class: 'place' }, [badge(place), place]))
  const stateNode = (kind, text) => node('span', { class: ('state ' + kind).trim(), text })

  // Figures.
  function ms(value) {
    if (value < 0) return '–'
    if (value < 1) return value.toFixed(2) + ' ms'
    if (value < 100) return value.toFixed(1) + ' ms'
    return value < 10000 ? Math.round(value) + ' ms' : (value / 1000).toFixed(1) + ' s'
  }
  function bytes(value) {
    if (value < 1000) return value + ' B'
    return value < 1e6 ? (value / 1e3).toFixed(1) + ' kB' : (value / 1e6).toFixed(1) + ' MB'
  }
  function usd(micro) {
    if (micro === 0) return '$0'
    const value = micro / 1e6
    return '$' + (value >= 0.01 ? value.toFixed(4) : value.toPrecision(3).includes('e') ? value.toFixed(10).replace(/0+$/, '') : value.toPrecision(3))
  }
  function since(epochMs) {
    const seconds = Math.max(0, Math.round((Date.now() - epochMs) / 1000))
    if (seconds < 90) return seconds + ' s'
    if (seconds < 5400) return Math.round(seconds / 60) + ' min'
    return seconds < 129600 ? Math.round(seconds / 3600) + ' h' : Math.round(seconds / 86400) + ' days'
  }
  function median(values) {
    if (values.length === 0) return undefined
    const sorted = values.slice().sort((a, b) => a - b)
    return sorted[Math.floor((sorted.length - 1) / 2)]
  }
  const count = (many, one, more) => many + ' ' + (many === 1 ? one : more)

  // The key: from the fragment, which is taken out of the address bar, else from this tab's own store.
  function readKey() {
    const given = new URLSearchParams(location.hash.slice(1)).get('key')
    try {
      if (given) {
        history.replaceState(null, '', location.pathname + location.search)
        sessionStorage.setItem(STORED, given)
      }
      return given || sessionStorage.getItem(STORED) || ''
    } catch {
      return given || ''
    }
  }
  function useKey(key) {
    seen.key = key
    try {
      if (key === '') sessionStorage.removeItem(STORED)
      else sessionStorage.setItem(STORED, key)
    } catch {
      // A browser that keeps nothing asks again after a reload.
    }
  }

  // Asking.
  class Refused extends Error {
    constructor(status, message) {
      super(message)
      this.status = status
    }
  }
  const canLook = () => seen.key !== '' || (seen.session !== null && !seen.barred)
  async function get(path) {
    // Without a key the cookie of the session speaks, which scripts never see.
    const headers = seen.key === '' ? {} : { authorization: 'Bearer ' + seen.key }
    const answer = await fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(8000) })
    const body = await answer.json().catch(() => ({}))
    if (!answer.ok) throw new Refused(answer.status, (body.error && body.error.message) || 'the control plane answered ' + answer.status)
    return body
  }
  async function poll() {
    clearTimeout(seen.timer)
    if (seen.busy || !canLook()) return
    seen.busy = true
    const key = seen.key
    try {
      const [status, listed] = await Promise.all([get('/admin/v1/status'), get('/admin/v1/requests?limit=50')])
      if (key === seen.key) arrived(status, listed.requests)
    } catch (error) {
      if (key === seen.key) failed(error)
    } finally {
      seen.busy = false
    }
    clearTimeout(seen.timer)
    if (!document.hidden && canLook()) seen.timer = setTimeout(poll, POLL_MS)
  }
  function arrived(status, requests) {
    Object.assign(seen, { status, requests, at: Date.now() })
    byId('ask').hidden = true
    drawWho()
    byId('plane').hidden = false
    byId('plane').classList.remove('stale')
    drawTop()
    drawNotices()
    once('journey', [status, requests[0] && requests[0].id, requests.length], drawJourney)
    once('targets', status.targets, drawTargets)
    once('aliases', [status.aliases, status.targets.map(({ name }) => name)], drawAliases)
    once('audit', [status.audit, status.policies, status.reload], drawAudit)
    drawRequests()
  }
  function failed(error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
      const what = seen.key === '' ? 'Your sign-in' : 'This key'
      const sentence = what + (error.status === 401 ? ' is not accepted: ' : ' may not look at the plane: ')
      useKey('')
      // Who is signed in without a role stays so, and is told; who is not any more may sign in again.
      if (error.status === 401) seen.session = null
      seen.barred = true
      askForKey(sentence + error.message + '.')
      return
    }
    byId('plane').classList.add('stale')
    setState('bad', error instanceof Refused ? 'Answers with an error' : 'Unreachable')
    const last = seen.at === 0 ? '' : ' What you see is ' + since(seen.at) + ' old.'
    const what = error instanceof Refused ? 'The control plane answered: ' + error.message + '.' : 'The control plane at ' + location.origin + ' does not answer. Check that its process runs and that this machine reaches it.'
    replace('notices', [notice('bad', '', what + last + ' Trying again every ' + POLL_MS / 1000 + ' s.')])
  }
  function drawWho() {
    const { session, key } = seen
    byId('forget').hidden = key === ''
    byId('leave').hidden = session === null || key !== ''
    byId('who').hidden = session === null || key !== ''
    byId('who').textContent = session === null ? '' : session.name + (session.roles.length === 0 ? ', no role' : ', ' + session.roles.join(' and '))
  }
  async function findSession() {
    try {
      const me = await get('/auth/me')
      seen.canSignIn = me.canSignIn
      seen.session = me.signedIn ? me : null
    } catch {
      seen.session = null
    }
  }
  async function leave() {
    const headers = { 'x-thinplane-csrf': seen.session.csrf }
    await fetch('/auth/logout', { method: 'POST', headers }).catch(() => undefined)
    clearTimeout(seen.timer)
    await findSession()
    askForKey(seen.session === null ? '' : 'The control plane did not answer, so you are still signed in. Try again.')
  }
  function askForKey(sentence) {
    byId('plane').hidden = true
    drawWho()
    byId('ask').hidden = false
    byId('sign-in').hidden = !seen.canSignIn || seen.session !== null
    byId('ask-title').textContent = byId('sign-in').hidden ? 'Bring a key' : 'Sign in, or bring a key'
    byId('facts').textContent = ''
    setState('', seen.session === null ? 'Not signed in' : 'Signed in')
    replace('notices', sentence === '' ? [] : [notice('bad', '', sentence)])
    byId(byId('sign-in').hidden ? 'key' : 'sign-in-link').focus()
  }

  // Redraws a part only when what it shows has changed, so that focus and selection stay where they are.
  function once(name, value, draw) {
    const form = JSON.stringify(value)
    if (seen.drawn[name] === form) return
    seen.drawn[name] = form
    draw()
  }
  function setState(kind, text) {
    const state = byId('state')
    if (state.textContent === text) return
    state.className = ('state ' + kind).trim()
    state.textContent = text
  }
  function notice(kind, title, text) {
    return node('p', { class: ('notice ' + kind).trim() }, [title === '' ? null : node('b', { text: title }), text])
  }

  function drawTop() {
    const { status } = seen
    setState(status.ready ? 'good' : 'bad', status.ready ? 'Ready' : 'Not ready')
    byId('facts').textContent = 'up ' + since(status.startedEpochMs) + ', ' + bytes(status.memoryBytes) + ' of memory'
  }
  function drawNotices() {
    const { status } = seen
    const shown = []
    if (!status.ready) shown.push(notice('bad', 'Nothing is served', status.notReady))
    if (status.audit.trouble !== '' && status.audit.trouble !== status.notReady) shown.push(notice('bad', 'The audit trail can not be written', status.audit.trouble))
    if (status.identity.trouble !== '') shown.push(notice('', 'Keys or the deny list can not be read', status.identity.trouble))
    if (status.reload.problem !== '') shown.push(notice('', 'The last reload was not used, the configuration before it stays', status.reload.problem))
    once('notices', shown.map((part) => part.textContent), () => replace('notices', shown))
    if (shown.length === 0) replace('notices', [])
    else if (byId('notices').childElementCount !== shown.length) replace('notices', shown)
  }

  // The three planes in the order in which a request meets them, with medians of the requests below.
  function drawJourney() {
    const { status, requests } = seen
    const stages = (names) => names.map((name) => [name, median(requests.flatMap((entry) => entry.stages.filter(({ stage }) => stage === name).map((stage) => stage.ms)))])
    const crossings = (layer) => requests.flatMap((entry) => entry.crossings.filter((crossing) => crossing.layer === layer))
    const data = crossings('data')
    const targets = status.targets
    const out = targets.filter(({ state }) => state !== 'ok' && state !== 'slow')
    const first = targets.find(({ place }) => cloudOf(place) === 'gcp') || targets[0]
    const safety = crossings('safety')
    replace('journey', [
      stop('Control', status.place, [status.ready ? stateNode('good', 'ready') : stateNode('bad', 'not ready')], [
        ...stages(['identify', 'permit', 'screen']),
        status.planes.safety === '' ? ['managed check', 'off'] : ['check in ' + regionOf(status.planes.safety), median(safety.map((crossing) => crossing.ms))],
      ]),
      hop('queries and a passport'),
      stop('Data', status.planes.data, [liveOf(status.planes.data, data[0])], [['ground', median(data.map((crossing) => crossing.ms))], ['answer', data.length === 0 ? undefined : bytes(median(data.map((crossing) => crossing.bytesIn)))]]),
      hop('screened text only'),
      stop('Compute', first ? first.place : '', [targets.length === 0 ? stateNode('warn', 'no target') : out.length === 0 ? stateNode('good', count(targets.length, 'target', 'targets') + ' in') : stateNode(out.length === targets.length ? 'bad' : 'warn', out.length + ' of ' + targets.length + ' targets out')], [
        ...stages(['infer', 'stream']),
        ['other places', otherPlaces(targets, first)],
      ].filter(([, value]) => value !== '')),
    ])
  }
  function otherPlaces(targets, first) {
    return [...new Set(targets.map(({ place }) => place))].filter((place) => place !== (first && first.place)).join(', ')
  }
  function liveOf(place, last) {
    if (place === '') return stateNode('', 'not configured')
    if (last === undefined) return stateNode('', 'not called yet')
    return last.error === '' && last.status < 400 ? stateNode('good', 'answering') : stateNode('bad', 'last call: ' + (last.error || last.status))
  }
  function stop(title, place, states, rows) {
    const where = place === '' ? 'nowhere yet' : CLOUDS[cloudOf(place)][1] + ' ' + regionOf(place)
    return node('li', { class: 'stop', cloud: place === '' ? 'local' : cloudOf(place) }, [
      node('header', {}, [place === '' ? null : badge(place), node('h3', { text: title }, [node('span', { text: where })])]),
      ...states,
      node('dl', {}, rows.flatMap(([name, value]) => [node('dt', { text: name }), node('dd', { text: value === undefined ? '–' : typeof value === 'number' ? ms(value) : value })])),
    ])
  }
  const hop = (text) => node('li', { class: 'hop' }, [node('span', { text }), node('i', { 'aria-hidden': 'true' })])

  // Tables. Roles are written out because narrow screens turn rows into blocks, which would drop them.
  function table(options, heads, rows) {
    return node('table', { class: options.class, role: 'table' }, [
      node('caption', { class: 'hush', text: options.caption }),
      node('thead', { role: 'rowgroup' }, [node('tr', { role: 'row' }, heads.map(([text, kind]) => node('th', { role: 'columnheader', scope: 'col', class: kind, text })))]),
      node('tbody', { role: 'rowgroup' }, rows),
    ])
  }
  const cells = (...list) => node('tr', { role: 'row' }, list)
  const cell = (content, options) => node('td', { role: 'cell', ...options }, Array.isArray(content) ? content : [content])
  const sub = (text) => node('span', { class: 'sub', text })

  function drawTargets() {
    const states = { ok: ['good', 'in'], out: ['bad', 'out'], probing: ['warn', 'probing'], slow: ['warn', 'slow'] }
    const rows = seen.status.targets.map(({ name, place, provider, model, simulated, state, streams, warmth }) => {
      const [kind, text] = states[state] || ['', state]
      return cells(
        cell([name, sub(model + ', ' + provider)]),
        cell(placeNode(place)),
        cell(node('span', { class: simulated ? 'chip simulated' : 'chip real', text: simulated ? 'simulated' : 'real' })),
        cell(stateNode(kind, text)),
        cell(firstContent(streams)),
        cell(warmthNode(warmth)),
      )
    })
    replace('targets', [rows.length === 0 ? node('p', { class: 'muted', text: 'No target is configured.' }) : table({ caption: 'Targets' }, [['Target', ''], ['Place', ''], ['Answers', ''], ['State', ''], ['First content', ''], ['Warmth', '']], rows)])
  }
  function firstContent({ source, p50Ms, p95Ms, samples }) {
    if (source !== 'measured') return node('span', { class: 'muted', text: 'not measured yet' })
    return node('span', {}, [ms(p50Ms), sub('p95 ' + ms(p95Ms) + ' of ' + samples)])
  }
  function warmthNode(warmth) {
    if (!warmth) return node('span', { class: 'muted', text: 'does not sleep' })
    const kinds = { warm: 'good', unsure: 'warn', waking: 'warn', cold: '' }
    const idle = warmth.idleMs === undefined ? 'not seen yet' : 'idle ' + ms(warmth.idleMs)
    return node('span', {}, [stateNode(kinds[warmth.state], warmth.state), sub(idle + ', a start takes ' + ms(warmth.startP50Ms))])
  }
  function drawAliases() {
    const rows = seen.status.aliases.map(({ name, targets, collections, residency }) =>
      cells(
        cell(node('span', {}, [name, residency === '' ? null : sub('stays in ' + residency)])),
        cell(targets.join(', then ')),
        cell(collections.length === 0 ? node('span', { class: 'muted', text: 'nothing' }) : collections.join(', ')),
      ),
    )
    replace('aliases', [table({ caption: 'Model aliases' }, [['Alias', ''], ['Goes to', ''], ['Grounded on', '']], rows)])
  }
  function drawAudit() {
    const { audit, policies, reload } = seen.status
    const facts = [
      ['Entries', String(audit.entries.toLocaleString())],
      ['Trail', audit.trouble === '' ? stateNode('good', 'being written') : stateNode('bad', audit.trouble)],
      audit.mended === '' ? null : ['Mended', audit.mended],
      ['Policies', policies.length + ' in ' + count(new Set(policies.map(({ file }) => file)).size, 'file', 'files')],
      ['Loaded', new Date(reload.atEpochMs).toLocaleTimeString() + (reload.problem === '' ? '' : ', not used')],
    ]
    replace('audit', [factList(facts)])
  }
  const factList = (facts) => node('dl', { class: 'facts' }, facts.filter((fact) => fact !== null).flatMap(([name, value]) => [node('dt', { text: name }), node('dd', {}, [value])]))

  // Requests: an entry never changes, so rows are made once and moved, and an open one stays open.
  function drawRequests() {
    const { requests } = seen
    byId('count').textContent = requests.length === 0 ? '' : 'the latest ' + requests.length + '; the times in the picture are their medians'
    byId('empty').hidden = requests.length > 0
    byId('listed').hidden = requests.length === 0
    if (requests.length === 0) once('paste', [seen.status.aliases.map(({ name }) => name), seen.key], drawPaste)
    const kept = new Set(requests.map(({ id }) => id))
    for (const [id, row] of seen.rows) {
      if (kept.has(id)) continue
      row.line.remove()
      row.detail.remove()
      seen.rows.delete(id)
      seen.open.delete(id)
    }
    const body = byId('rows')
    let after = null
    for (const entry of requests) {
      const row = seen.rows.get(entry.id) || makeRow(entry)
      const next = after === null ? body.firstChild : after.nextSibling
      if (next !== row.line) {
        body.insertBefore(row.line, next)
        body.insertBefore(row.detail, row.line.nextSibling)
      }
      after = row.detail
    }
    seen.first = false
  }
  function makeRow(entry) {
    const at = new Date(entry.atEpochMs)
    const opener = node('button', { class: 'opener', type: 'button', 'aria-expanded': 'false', 'aria-controls': 'of-' + entry.id }, [node('time', { datetime: at.toISOString(), title: at.toISOString(), text: at.toLocaleTimeString() })])
    const line = node('tr', { class: seen.first ? 'row' : 'row fresh', role: 'row' }, [
      cell(opener),
      cell(callerOf(entry), { label: 'Caller' }),
      cell(node('span', { class: 'clip', title: entry.target }, [entry.alias || '–', entry.target === '' ? null : sub('→ ' + entry.target)]), { label: 'Model' }),
      cell([stateNode(OUTCOMES[entry.outcome] || '', entry.outcome), entry.code === '' ? '' : node('span', { class: 'sub code', text: entry.code })], { label: 'Outcome' }),
      cell(String(entry.status), { label: 'Status', class: 'num' }),
      cell(ms(entry.ms), { label: 'Total', class: 'num' }),
      cell(ms(entry.firstContentMs), { label: 'First content', class: 'num' }),
      cell(lagOf(entry), { label: 'Lag' }),
      cell(chipsOf(entry), { label: 'Found', class: entry.findings.length === 0 ? 'none' : '' }),
      cell(usd(entry.cost.modelMicroUsd + entry.cost.egressMicroUsd), { label: 'Cost', class: 'num' }),
    ])
    const detail = node('tr', { class: 'detail', role: 'row', id: 'of-' + entry.id, hidden: 'hidden' }, [node('td', { role: 'cell', colspan: '10' })])
    const row = { line, detail, opener, entry }
    opener.addEventListener('click', (event) => {
      event.stopPropagation()
      toggle(row)
    })
    line.addEventListener('click', () => {
      if (String(getSelection()) === '') toggle(row)
    })
    seen.rows.set(entry.id, row)
    return row
  }
  function toggle({ detail, opener, entry }) {
    const isOpen = !seen.open.has(entry.id)
    if (isOpen) seen.open.add(entry.id)
    else seen.open.delete(entry.id)
    opener.setAttribute('aria-expanded', String(isOpen))
    detail.hidden = !isOpen
    if (isOpen && detail.firstChild.childElementCount === 0) detail.firstChild.append(opened(entry))
  }
  function callerOf({ principal }) {
    if (!principal) return node('span', { class: 'muted', text: 'not identified' })
    if (principal.subject === '') return node('span', { class: 'muted', title: 'shown to admins and auditors' }, ['withheld', sub(principal.kind + ' of ' + principal.tenant)])
    return node('span', { class: 'clip', title: principal.subject }, [principal.subject, sub(principal.kind + ' of ' + principal.tenant)])
  }
  function lagOf({ lag }) {
    if (lag.stage === '') return node('span', { class: 'muted', text: '–' })
    return node('span', {}, [node('span', { class: 'place' }, [badge(lag.place), lag.stage + ' ' + ms(lag.ms)]), sub(lag.place)])
  }
  function chipsOf({ findings }) {
    if (findings.length === 0) return node('span', { class: 'muted', text: '–' })
    return node('span', { class: 'chips' }, findings.map(chip))
  }
  const chip = ({ type, action, count: many, where }) => node('span', { class: action === 'block' ? 'chip block' : 'chip', title: action + ' in the ' + where, text: (many > 1 ? many + ' ' : '') + type })

  // One request, opened.
  function opened(entry) {
    return node('div', { class: 'opened' }, [
      part('Where the time went', [waterfall(entry), legend(entry)]),
      entry.crossings.length === 0 ? null : part('Crossings', [crossingsOf(entry)]),
      node('div', { class: 'halves' }, [
        part('Request', [factList(factsOf(entry))]),
        entry.findings.length === 0 ? null : part('Findings', [node('div', { class: 'scroll' }, [table({ caption: 'Findings' }, [['Type', ''], ['Action', ''], ['Where', ''], ['Count', 'num']], entry.findings.map((found) => cells(cell(found.type), cell(found.action), cell(found.where), cell(String(found.count), { class: 'num' }))))])]),
        entry.attempts.length === 0 ? null : part('Attempts', [node('div', { class: 'scroll' }, [table({ caption: 'Attempts' }, [['Target', ''], ['Came out', ''], ['Time', 'num']], entry.attempts.map(({ target, error, ms: took }) => cells(cell(target), cell(error === '' ? stateNode('good', 'answered') : stateNode('bad', error)), cell(ms(took), { class: 'num' }))))])]),
        entry.receipt ? part('Sources, read by ' + entry.receipt.agent, [sourcesOf(entry.receipt)]) : null,
      ]),
    ])
  }
  const part = (title, children) => node('section', {}, [node('h3', { text: title }), ...children])
  function factsOf(entry) {
    const { principal, policy, safety, usage, cost } = entry
    const tokens = Object.entries(usage).filter(([, many]) => many > 0).map(([bucket, many]) => many + ' ' + bucket)
    return [
      ['Id', node('code', { text: entry.id })],
      ['Trace', node('code', { text: entry.traceId })],
      principal ? ['Roles', principal.roles.join(', ') || 'none'] : null,
      principal ? ['Came by', principal.via + (principal.client === '' ? '' : ', client ' + principal.client)] : null,
      ['Policies', policy.policies.join(', ') || 'none'],
      ['Guard', (policy.guardProfile || 'none') + ', managed check: ' + [safety.verdict, ...safety.over.map(({ category, severity }) => category + ' ' + severity)].join(', ')],
      policy.forbidden.length === 0 ? null : ['Kept from', policy.forbidden.join(', ')],
      ['Tokens', (tokens.join(', ') || 'none') + (entry.usageEstimated ? ' (estimated)' : '')],
      ['Cost', 'model ' + usd(cost.modelMicroUsd) + ', egress ' + usd(cost.egressMicroUsd) + (cost.savedMicroUsd === undefined ? '' : ', saved ' + usd(cost.savedMicroUsd))],
      entry.route ? ['Route', entry.route.kind + (entry.route.line === '' ? '' : ': ' + entry.route.line)] : null,
      ['Form', entry.dialect + (entry.stream ? ', streamed' : '')],
    ]
  }
  function waterfall(entry) {
    const whole = Math.max(entry.ms, 0.001, ...entry.stages.map(({ startMs, ms: took }) => startMs + took))
    const inOrder = [...entry.stages, ...entry.remote.map((step) => ({ ...step, isRemote: true }))].sort((a, b) => a.startMs - b.startMs)
    const rows = inOrder.map(({ stage, place, startMs, ms: took, isRemote }) => {
      const left = Math.min(99, (startMs / whole) * 100)
      const width = Math.min(100 - left, (took / whole) * 100)
      const isThin = width < 6
      const bar = node('span', { class: isThin ? 'bar thin' : 'bar', cloud: cloudOf(place), text: isThin ? '' : letterOf(place) })
      bar.style.left = left + '%'
      bar.style.width = width + '%'
      const rail = node('div', { class: 'rail' })
      if (entry.firstContentMs >= 0) {
        const mark = node('span', { class: 'first' })
        mark.style.left = (entry.firstContentMs / whole) * 100 + '%'
        rail.append(mark)
      }
      rail.append(bar)
      if (isThin) {
        const letter = node('span', { class: 'letter', cloud: cloudOf(place), text: letterOf(place) })
        if (left + width > 92) letter.style.right = 'calc(' + (100 - left) + '% + 5px)'
        else letter.style.left = 'calc(max(' + (left + width) + '%, ' + left + '% + 3px) + 5px)'
        rail.append(letter)
      }
      return cells(cell(isRemote ? '· ' + stage : stage, { class: isRemote ? 'muted' : '' }), cell(rail, { class: 'track', 'aria-hidden': 'true' }), cell(ms(took), { class: 'num' }), cell(place, { class: 'muted' }))
    })
    return node('div', { class: 'scroll' }, [table({ class: 'fall', caption: 'Stages of the request, in order of their beginning' }, [['Stage', ''], ['0 to ' + ms(whole), ''], ['Time', 'num'], ['Place', '']], rows)])
  }
  function legend(entry) {
    const clouds = [...new Set(entry.stages.map(({ place }) => cloudOf(place)))]
    return node('p', { class: 'legend' }, [
      ...clouds.map((cloud) => node('span', { class: 'place' }, [node('span', { class: 'cloud', cloud, text: CLOUDS[cloud][0] }), CLOUDS[cloud][1]])),
      entry.firstContentMs < 0 ? 'No content was sent.' : 'Dotted: the first content, after ' + ms(entry.firstContentMs) + '.',
    ])
  }
  function crossingsOf(entry) {
    const rows = entry.crossings.map((crossing) =>
      cells(
        cell(crossing.layer),
        cell(node('span', { class: 'place' }, [badge(crossing.from), crossing.from + ' → ', badge(crossing.to), crossing.to])),
        cell(crossing.error === '' ? stateNode(crossing.status < 400 ? 'good' : 'bad', String(crossing.status)) : stateNode('bad', crossing.error)),
        cell(bytes(crossing.bytesOut), { class: 'num' }),
        cell(bytes(crossing.bytesIn), { class: 'num' }),
        cell(ms(crossing.ms), { class: 'num' }),
        cell(usd(crossing.egressMicroUsd), { class: 'num' }),
      ),
    )
    return node('div', { class: 'scroll' }, [table({ caption: 'Calls that left for another cloud' }, [['Layer', ''], ['From → to', ''], ['Answer', ''], ['Out', 'num'], ['In', 'num'], ['Time', 'num'], ['Egress', 'num']], rows)])
  }
  // Entries of former versions do not say what was missing.
  function sourcesOf({ reads, missing = [], bytes: size }) {
    const gaps = missing.map((what) => node('p', { class: 'small', text: 'Missing: ' + what }))
    if (reads.length === 0) return node('div', {}, [node('p', { class: 'muted', text: 'Nothing matched.' }), ...gaps])
    return node('div', {}, [
      node('ul', { class: 'small' }, reads.map(({ collection, document: name, digest }) => node('li', {}, [collection + '/' + name + ' ', node('code', { class: 'muted', title: 'SHA-256 of the passage', text: digest.slice(0, 12) })]))),
      node('p', { class: 'small muted', text: count(reads.length, 'text', 'texts') + ', ' + bytes(size) }),
      ...gaps,
    ])
  }

  function drawPaste() {
    const alias = seen.status.aliases.find(({ collections }) => collections.length > 0) || seen.status.aliases[0]
    const body = JSON.stringify({ model: alias ? alias.name : 'chat', stream: true, messages: [{ role: 'user', content: 'How many days of annual leave do I get?' }] })
    const lineWith = (key) => 'curl -N ' + location.origin + '/v1/chat/completions -H "Authorization: Bearer ' + key + '" -H "Content-Type: application/json" -d ' + "'" + body + "'"
    const own = seen.key === '' ? 'YOUR-KEY' : seen.key
    const shown = node('pre', { text: lineWith(seen.key === '' ? own : own.slice(0, 6) + '…') })
    const copy = node('button', { type: 'button', text: 'Copy' })
    copy.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(lineWith(own))
        copy.textContent = 'Copied'
      } catch {
        shown.textContent = lineWith(own)
        copy.textContent = 'Shown in full'
      }
    })
    replace('empty', [node('p', { text: 'No request has come yet. Paste this into a terminal; ' + (seen.key === '' ? 'put a key of yours in.' : 'the copy holds your key.') }), node('div', { class: 'paste' }, [shown, copy])])
  }

  byId('ask').addEventListener('submit', (event) => {
    event.preventDefault()
    const key = byId('key').value.trim()
    if (key === '') return
    byId('key').value = ''
    useKey(key)
    setState('', 'Asking')
    replace('notices', [])
    seen.drawn = {}
    poll()
  })
  byId('forget').addEventListener('click', () => {
    useKey('')
    clearTimeout(seen.timer)
    start()
  })
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(seen.timer)
    else poll()
  })
  addEventListener('hashchange', () => {
    const key = readKey()
    if (key !== seen.key) {
      seen.key = key
      poll()
    }
  })
  byId('leave').addEventListener('click', leave)
  async function start() {
    seen.barred = false
    if (seen.key === '') await findSession()
    if (canLook()) poll()
    else askForKey('')
  }
  start()
})()
`
