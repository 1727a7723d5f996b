// A page for a browser in one file, without a network: what all reports of the programs look like, and the few lines of
// script for which a page of text is not enough (values under the pointer, tables that sort, pictures that enlarge).
// Without the script everything is there; the page is well-formed XML, light or dark, and can be printed.
#pragma once

#include <vitral/core/escape.hpp>

#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::report {

/// A number that a summary begins with. All are text.
struct Tile {
  std::string name, value, note;
};

inline std::string tiles(const std::vector<Tile>& all) {
  std::string out = "<dl class=\"tiles\">\n";
  for (const Tile& tile : all)
    out += "<div class=\"card\"><dt>" + vitral::escape_html(tile.name) + "</dt><dd><strong>" +
           vitral::escape_html(tile.value) + "</strong> " + vitral::escape_html(tile.note) + "</dd></div>\n";
  return out + "</dl>\n";
}

/// A chart or a picture with its title (text) and a sentence about it (HTML).
inline std::string figure(const std::string& title, const std::string& picture, const std::string& about = "",
                          bool wide = false) {
  return std::string("<figure class=\"card") + (wide ? " wide" : "") + "\"><h3>" + vitral::escape_html(title) +
         "</h3>\n" + picture + (about.empty() ? "" : "<figcaption>" + about + "</figcaption>") + "</figure>\n";
}

/// Figures and tables side by side, as many as there is room for.
inline std::string grid(const std::string& figures) { return "<div class=\"grid\">\n" + figures + "</div>\n"; }

/// A part of a page with its heading (text).
inline std::string section(const std::string& title, const std::string& body) {
  return "<section>\n<h2>" + vitral::escape_html(title) + "</h2>\n" + body + "</section>\n";
}

inline constexpr const char* page_style = R"(
:root { color-scheme: light dark; --ground: #f3f5f7; --card: #fff; --ink: #1c2024; --soft: #56606c; --line: #d8dde3;
  --accent: #005f99; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 118rem; padding: 1.5rem clamp(0.75rem, 2.5vw, 3rem) 3rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.5rem; }
h2 { font-size: 1.35rem; margin: 2.25rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 0 0 0.5rem; padding-right: 2rem; }
p { max-width: 80ch; color: var(--soft); margin: 0 0 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; min-width: 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; margin: 0; }
.tiles > div { flex: 1 1 14rem; }
.tiles dt { color: var(--soft); font-size: 0.9rem; }
.tiles dd { margin: 0; font-size: 0.9rem; }
.tiles strong { display: block; font-size: 1.6rem; line-height: 1.3; color: var(--accent); }
.grid { display: flex; flex-wrap: wrap; gap: 1rem; margin-bottom: 1rem; }
.grid > * { flex: 1 1 min(100%, 26rem); }
.grid > .scroll { flex: 2 1 min(100%, 28rem); }
.grid > .wide { flex: 4 1 min(100%, 60rem); }
figure { margin: 0; position: relative; }
figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 0.5rem; max-width: 100ch; }
svg.chart { display: block; width: 100%; height: auto; fill: var(--ink); }
figure > svg.chart { max-width: 44rem; margin: 0 auto; }
.ground { fill: none; }
.hollow { fill: var(--card); }
img { display: block; max-width: 100%; margin: 0 auto; border-radius: 6px; }
.scroll { overflow: auto; max-height: 36rem; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; font-weight: 600; font-size: 1rem; padding-bottom: 0.5rem; }
td { white-space: nowrap; }
th, td { padding: 0.3rem 0.6rem; text-align: right; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
thead th { vertical-align: bottom; min-width: 4.5rem; position: sticky; top: -1rem; background: var(--card); }
tbody th { font-weight: 600; }
th button { all: unset; cursor: pointer; }
th button::after { content: " \2195"; color: var(--soft); }
th[aria-sort=ascending] button::after { content: " \2191"; color: var(--accent); }
th[aria-sort=descending] button::after { content: " \2193"; color: var(--accent); }
.enlarge { position: absolute; top: 0.6rem; right: 0.6rem; width: 2rem; height: 2rem; padding: 0; cursor: pointer;
  color: var(--soft); background: var(--card); border: 1px solid var(--line); border-radius: 6px; font-size: 1rem; }
figure img { cursor: zoom-in; }
:focus-visible, th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
dialog { width: 96vw; height: 96vh; max-width: none; max-height: none; border: 1px solid var(--line);
  border-radius: 10px; background: var(--card); color: var(--ink); overflow: auto; }
dialog svg.chart { width: min(100%, 124vh); margin: 0 auto; }
dialog img { min-width: 100%; max-width: none; }
#tip { position: fixed; z-index: 9; pointer-events: none; padding: 0.25rem 0.5rem; border-radius: 6px;
  background: var(--ink); color: var(--card); font-size: 0.85rem; max-width: 22rem; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #111417; --card: #1a1e23; --ink: #e8ebee; --soft: #a9b2bc; --line: #353c45; --accent: #74bdf0; }
  .c0 { color: #4aa8e8; }
  .c6 { color: #fff; }
  .k0 { color: #8d82e8; }
  .k3 { color: #3fae66; }
  .k7 { color: #d45d97; }
  .k9 { color: #fff; }
}
@media print {
  :root { color-scheme: light; --ground: #fff; }
  html { font-size: 11px; }
  body { padding: 0; }
  .grid > figure { flex: 0 1 calc(50% - 0.5rem); }
  .grid > .wide, .grid > .scroll { flex-basis: 100%; }
  .scroll { overflow: visible; max-height: none; }
  table { font-size: 8px; }
  th, td { padding: 0.15rem 0.25rem; }
  thead th { position: static; min-width: 0; }
  figure, .tiles > div, tr { break-inside: avoid; }
  h2, h3, h2 + p { break-after: avoid; }
  .enlarge, #tip, th button::after { display: none; }
}
)";

inline constexpr const char* page_script = R"(
const all = (what, from) => Array.from((from || document).querySelectorAll(what));
const make = (name, options) => Object.assign(document.createElement(name), options);

// Values: what is nearest to the pointer in a chart says what it is.
const tip = make('div', { id: 'tip', hidden: true });
document.body.append(tip);
const point = event => {
  const chart = event.target.closest ? event.target.closest('svg.chart') : null;
  let best = null, least = 24;
  if (chart) for (const mark of all('[data-tip]', chart)) {
    const box = mark.getBoundingClientRect();
    const away = Math.hypot(Math.max(box.left - event.clientX, 0, event.clientX - box.right),
                            Math.max(box.top - event.clientY, 0, event.clientY - box.bottom));
    if (least > away) { best = mark; least = away; }
  }
  tip.hidden = !best;
  if (!best) return;
  tip.textContent = best.dataset.tip;
  (chart.closest('dialog') || document.body).append(tip);
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = Math.max(8, Math.min(event.clientX + 12, room)) + 'px';
  tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 10) + 'px';
};
for (const kind of ['pointermove', 'pointerdown']) document.addEventListener(kind, point);

// Tables: a button in each header sorts by its column, downwards first, since large numbers are looked for.
for (const table of all('table')) for (const head of all('thead th', table)) {
  const button = make('button', { type: 'button', textContent: head.textContent });
  head.replaceChildren(button);
  button.onclick = () => {
    const order = head.getAttribute('aria-sort') === 'descending' ? 'ascending' : 'descending';
    const sign = order === 'ascending' ? 1 : -1;
    const value = row => row.cells[head.cellIndex].textContent;
    const rows = all('tbody tr', table).sort((a, b) => sign *
      (parseFloat(value(a)) - parseFloat(value(b)) || value(a).localeCompare(value(b), undefined, { numeric: true })));
    for (const other of all('th[aria-sort]', table)) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', order);
    table.tBodies[0].append(...rows);
  };
}

// Pictures: a click, or the button beside them, shows them as large as the window.
const dialog = make('dialog');
document.body.append(dialog);
dialog.onclose = () => document.body.append(tip);
for (const figure of all('figure')) {
  const picture = figure.querySelector('svg, img'), title = figure.querySelector('h3').textContent;
  const button = make('button', { type: 'button', className: 'enlarge', textContent: '\u2922' });
  button.setAttribute('aria-label', 'Enlarge: ' + title);
  button.onclick = () => {
    const close = make('button', { type: 'button', className: 'enlarge', textContent: '\u00d7' });
    close.setAttribute('aria-label', 'Close');
    close.onclick = () => dialog.close();
    dialog.replaceChildren(make('h3', { textContent: title }), picture.cloneNode(true), close);
    dialog.showModal();
  };
  figure.append(button);
  if (picture.tagName === 'IMG') picture.onclick = button.onclick;
}
)";

/// A page of these parts (HTML) below its title (text) and a few words on what it is about (HTML).
inline std::string page(const std::string& title, const std::string& about, const std::string& parts) {
  const std::string name = vitral::escape_html(title);
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/>\n<title>" + name +
         "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<style>" + page_style +
         "</style></head>\n<body>\n<header><h1>" + name + "</h1>\n<p>" + about + "</p></header>\n<main>\n" + parts +
         "</main>\n<script>//<![CDATA[" + page_script + "//]]></script>\n</body>\n</html>\n";
}

}}}  // namespace vitral::programs::report
