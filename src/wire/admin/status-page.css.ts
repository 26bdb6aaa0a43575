/** Style sheet of the status page. System fonts, both colour schemes, no motion for those who ask for none. */
export const STATUS_PAGE_CSS = String.raw`
:root {
  color-scheme: light dark;
  --ground: #f6f6f3; --surface: #ffffff; --sunken: #f1f1ed; --text: #1b1d20; --muted: #5c6269; --line: #e2e2dd;
  --azure: #0b63b5; --aws: #a85a00; --gcp: #1c7a3a; --local: #6a6f76;
  --good: #0c7263; --warn: #945600; --bad: #b3261e; --shield: #6a3fa0; --focus: #0b63b5;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121416; --surface: #1a1d20; --sunken: #22262a; --text: #e9ebed; --muted: #a0a7ae; --line: #2d3237;
    --azure: #62b0f4; --aws: #eda64f; --gcp: #63c585; --local: #a6acb3;
    --good: #4fc4b0; --warn: #e6ab55; --bad: #f28b82; --shield: #c0a0ee; --focus: #8ac4f8;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, Ubuntu, Cantarell, 'Liberation Sans', sans-serif; }
h1, h2, h3, p, ol, ul, dl, dd, figure { margin: 0; padding: 0; }
ol, ul { list-style: none; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
button, input { font: inherit; color: inherit; }
button { background: none; border: 1px solid var(--line); border-radius: 8px; padding: 6px 12px; cursor: pointer; }
button:hover { background: var(--sunken); }
code, pre, .mono { font-family: var(--mono); font-size: 0.87em; }
.muted { color: var(--muted); }
.small { font-size: 13px; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.hush { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.top { position: sticky; top: 0; z-index: 2; background: var(--ground); }
.top > div { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 20px; max-width: 1240px; margin: 0 auto; padding: 20px 28px 14px; }
.top h1 { display: flex; align-items: center; gap: 10px; font-size: 20px; font-weight: 650; letter-spacing: -0.01em; }
.mark { display: grid; gap: 3px; width: 20px; }
.mark i { display: block; height: 4px; border-radius: 2px; }
.mark i:nth-child(1) { background: var(--azure); }
.mark i:nth-child(2) { background: var(--aws); margin-left: 4px; }
.mark i:nth-child(3) { background: var(--gcp); margin-left: 8px; }
.top .facts { flex: 1; min-width: 0; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 28px; max-width: 1240px; margin: 0 auto; padding: 16px 28px 72px; }
#plane { display: grid; grid-template-columns: minmax(0, 1fr); gap: 28px; transition: opacity 0.3s; }
#plane.stale { opacity: 0.55; }
section > h2 { font-size: 13px; font-weight: 600; color: var(--muted); margin-bottom: 10px; }
section > h2 span { font-weight: 400; }
.panel { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; min-width: 0; }

.state { display: inline-flex; align-items: center; gap: 7px; white-space: nowrap; }
.state::before { content: ''; flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--local); }
.state.good::before { background: var(--good); }
.state.warn::before { background: var(--warn); border-radius: 2px; }
.state.bad::before { background: var(--bad); border-radius: 1px; transform: rotate(45deg); }
.state.warn { color: var(--warn); } .state.bad { color: var(--bad); } .state.shield { color: var(--shield); }
.state.shield::before { background: var(--shield); border-radius: 2px; }
.top .state, .stop .state { font-weight: 600; }

.notices { display: grid; gap: 10px; }
.notices:empty { display: none; }
.notice { border: 1px solid var(--line); border-left: 4px solid var(--warn); border-radius: 8px; background: var(--surface); padding: 12px 16px; overflow-wrap: anywhere; white-space: pre-wrap; }
.notice.bad { border-left-color: var(--bad); color: var(--text); }
.notice b { display: block; }

.ask { max-width: 560px; display: grid; gap: 12px; }
.ask h2 { font-size: 17px; color: var(--text); margin: 0; }
.ask label { font-weight: 550; }
.ask div { display: flex; gap: 8px; }
.ask input { flex: 1; min-width: 0; padding: 8px 12px; border: 1px solid var(--muted); border-radius: 8px; background: var(--ground); font-family: var(--mono); font-size: 14px; }
.ask button, .ask .go { background: var(--text); border-color: var(--text); color: var(--ground); }
.ask .go { display: inline-block; border: 1px solid var(--text); border-radius: 8px; padding: 6px 16px; text-decoration: none; }

.cloud { flex: none; display: inline-grid; place-items: center; width: 1.45em; height: 1.45em; border-radius: 5px; font-size: 12px; font-weight: 700; line-height: 1; color: var(--surface); background: var(--hue, var(--local)); }
[data-cloud='azure'] { --hue: var(--azure); } [data-cloud='aws'] { --hue: var(--aws); } [data-cloud='gcp'] { --hue: var(--gcp); } [data-cloud='local'] { --hue: var(--local); }
.place { display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; }

.journey { display: grid; grid-template-columns: minmax(0, 1fr) 118px minmax(0, 1fr) 118px minmax(0, 1fr); }
.stop { background: var(--surface); border: 1px solid var(--line); border-top: 3px solid var(--hue, var(--local)); border-radius: 12px; padding: 16px 18px; display: grid; gap: 12px; align-content: start; min-width: 0; }
.stop header { display: flex; align-items: center; gap: 10px; }
.stop header .cloud { width: 26px; height: 26px; border-radius: 7px; font-size: 15px; }
.stop h3 { font-size: 15px; font-weight: 600; line-height: 1.25; }
.stop h3 span { display: block; font-weight: 400; font-size: 13px; color: var(--muted); }
.stop dl { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 3px 12px; font-size: 13px; }
.stop dt { color: var(--muted); overflow-wrap: anywhere; }
.stop dd { text-align: right; font-variant-numeric: tabular-nums; }
.hop { display: flex; flex-direction: column; align-items: stretch; justify-content: center; gap: 6px; padding: 0 8px; text-align: center; font-size: 12px; line-height: 1.3; color: var(--muted); }
.hop i { position: relative; height: 2px; background: var(--muted); opacity: 0.75; }
.hop i::after { content: ''; position: absolute; right: 0; top: 50%; width: 7px; height: 7px; border: solid var(--muted); border-width: 2px 2px 0 0; transform: translateY(-50%) rotate(45deg); }
.return { position: relative; margin: 0 12%; padding: 10px 16px 0; min-height: 26px; border: solid var(--line); border-width: 0 2px 2px; border-radius: 0 0 14px 14px; text-align: center; font-size: 12px; color: var(--muted); padding-bottom: 8px; }
.return::after { content: ''; position: absolute; left: -5px; top: 1px; width: 7px; height: 7px; border: solid var(--muted); border-width: 2px 0 0 2px; transform: rotate(45deg); }

.trio { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); gap: 20px; } .trio > :first-child { grid-column: 1 / -1; }
.scroll { overflow-x: auto; margin: 0 -20px; padding: 0 20px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
caption { text-align: left; }
th { text-align: left; font-weight: 500; font-size: 12px; color: var(--muted); padding: 0 14px 6px 0; white-space: nowrap; vertical-align: bottom; }
th.num { text-align: right; }
td { padding: 8px 14px 8px 0; border-top: 1px solid var(--line); vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
td .sub { display: block; color: var(--muted); font-size: 13px; overflow-wrap: anywhere; }
.chips { display: inline-flex; flex-wrap: wrap; gap: 4px; }
.chip { display: inline-flex; gap: 5px; align-items: center; border: 1px solid var(--line); border-radius: 6px; padding: 0 7px; font-size: 12px; line-height: 20px; color: var(--muted); white-space: nowrap; }
.chip.block { border-color: var(--shield); color: var(--shield); }
.chip.simulated { border-style: dashed; }
.chip.real { color: var(--text); border-color: var(--muted); }
.facts dl, dl.facts { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 5px 16px; font-size: 14px; }
dl.facts dt { color: var(--muted); white-space: nowrap; }
dl.facts dd { overflow-wrap: anywhere; }
dl.facts dd .state { white-space: normal; }

tr.row > td { cursor: pointer; }
.clip, .clip .sub { display: block; max-width: 18ch; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.requests > * > tr.row > td, .requests > thead th { padding-right: 12px; }
.requests tr.row { font-size: 13.5px; }
td .code { font-size: 11px; white-space: nowrap; }
@media (min-width: 861px) { tr.row:hover > td { background: var(--sunken); } }
tr.row > td:first-child { padding-left: 10px; } tr.row > td:last-child, .requests > thead th:last-child { padding-right: 10px; }
.requests > thead th:first-child { padding-left: 10px; }
tr.row.fresh > td { animation: arrive 1.6s ease-out; }
@keyframes arrive { from { background: var(--sunken); } }
.opener { display: inline-flex; align-items: baseline; gap: 6px; border: 0; padding: 0; background: none; font-variant-numeric: tabular-nums; white-space: nowrap; }
.opener:hover { background: none; text-decoration: underline; text-underline-offset: 3px; }
.opener::before { content: ''; width: 6px; height: 6px; border: solid currentColor; border-width: 0 1.6px 1.6px 0; transform: translateY(-2px) rotate(-45deg); }
.opener[aria-expanded='true']::before { transform: translateY(-3px) rotate(45deg); }
tr.detail > td { background: var(--sunken); padding: 20px; border-top: 0; }
.opened { display: grid; grid-template-columns: minmax(0, 1fr); gap: 24px; }
.opened h3 { font-size: 13px; font-weight: 600; color: var(--muted); margin-bottom: 8px; }
.halves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 24px 40px; }
.opened td { padding: 5px 14px 5px 0; font-size: 13px; }
.opened .scroll { margin: 0; padding: 0; }

.fall td { border: 0; padding: 2px 12px 2px 0; vertical-align: middle; white-space: nowrap; }
.fall td.track { width: 62%; min-width: 180px; padding-right: 12px; }
.rail { position: relative; height: 20px; border-radius: 4px; background: linear-gradient(90deg, var(--line) 1px, transparent 1px) 0 0 / 25% 100%; }
.bar { position: absolute; top: 2px; bottom: 2px; min-width: 3px; border-radius: 3px; background: var(--hue, var(--local)); color: var(--surface); font-size: 11px; font-weight: 700; line-height: 16px; padding-left: 5px; overflow: hidden; }
.bar.thin { padding: 0; }
.letter { position: absolute; top: 2px; font-size: 11px; font-weight: 700; line-height: 16px; color: var(--hue, var(--local)); }
.first { position: absolute; top: -1px; bottom: -1px; border-left: 2px dotted var(--muted); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin-top: 10px; font-size: 12px; color: var(--muted); }

.empty { display: grid; gap: 12px; }
.paste { display: flex; align-items: flex-start; gap: 12px; background: var(--sunken); border-radius: 8px; padding: 14px 16px; }
.paste pre { flex: 1; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }

@media (max-width: 1000px) {
  .journey { grid-template-columns: minmax(0, 1fr); }
  .hop { flex-direction: row; align-items: center; justify-content: flex-start; gap: 12px; height: 46px; padding: 0 24px; text-align: left; }
  .hop span { order: 2; }
  .hop i { width: 2px; height: 100%; }
  .hop i::after { right: auto; left: 50%; top: auto; bottom: 2px; transform: translateX(-50%) rotate(135deg); }
  .return { margin: 0 0 0 24px; border-width: 0 0 0 2px; border-radius: 0; text-align: left; }
  .return::after { display: none; }
  .trio { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 860px) {
  .top > div { padding: 14px 16px 12px; } main { padding: 4px 16px 56px; } .top .facts { order: 1; flex-basis: 100%; } #forget, #who { margin-left: auto; }
  .panel { padding: 16px; } .scroll { margin: 0 -16px; padding: 0 16px; } .clip { max-width: none; }
  #targets td:first-child { min-width: 150px; }
  .requests, .requests > tbody, .requests tr.row, .requests tr.detail, .requests tr.detail > td { display: block; }
  .requests > thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .requests tr.row { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 4px 16px; padding: 12px 0; border-top: 1px solid var(--line); }
  .requests tr.row > td, .requests tr.row > td:first-child, .requests tr.row > td:last-child { display: block; border: 0; padding: 0; text-align: left; white-space: normal; }
  .requests tr.row > td[data-label]::before { content: attr(data-label); display: block; font-size: 12px; color: var(--muted); }
  .requests tr.row > td.wide { grid-column: 1 / -1; }
  .requests tr.row > td.none { display: none; }
  tr.detail > td { padding: 16px !important; border-radius: 8px; }
  .requests tr.row > td:first-child { grid-column: 1 / -1; font-size: 15px; }
  .fall td.track { width: 99%; min-width: 100px; } .fall th:last-child, .fall td:last-child { display: none; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { .bar, .cloud { border: 1px solid; } }
`
