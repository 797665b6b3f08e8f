/* The report's page: everything is drawn from the two JSON blocks above, as text nodes and SVG;
 * nothing is fetched.  One function per part; a part whose numbers are missing is left out.
 * Without the blocks it is the page of a running study, which asks its own server for them. */
'use strict';
(() => {
let redraw = () => {};
function report(V, D) {
const page = document.getElementById('page');
const running = V.outcome === 'running', stage = running ? 'Validation' : 'Test';
const SVG = 'http://www.w3.org/2000/svg';

/* ---- building blocks */
function el(tag, attrs, ...kids) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs || {})) if (v !== null && v !== undefined) e.setAttribute(k, v);
  for (const kid of kids.flat()) if (kid !== null && kid !== undefined) e.append(kid);
  return e;
}
function svg(tag, attrs, text) {
  const e = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(attrs || {})) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}
const known = x => x !== null && x !== undefined && Number.isFinite(x);
const metricName = { 'accuracy': 'accuracy', 'macro-f1': 'macro F1', 'entity-f1': 'entity F1' }[V.metric] || V.metric || 'score';
const share = ['accuracy', 'macro-f1', 'micro-f1', 'entity-f1'].includes(V.metric);
const plain = (x, digits) => Math.abs(x) >= 10 ** Math.max(3, digits - 1) ? Number(x.toPrecision(digits)).toLocaleString('en') : x.toPrecision(digits);
const score = x => !known(x) ? '–' : share ? (100 * x).toFixed(1) + ' %' : plain(x, 4);
const points = x => !known(x) ? '–' : share ? (100 * x).toFixed(1) : plain(x, 3);
const range = i => i && known(i[0]) && known(i[1]) ? `${points(i[0])} to ${points(i[1])}` : 'interval not known';
const count = n => known(n) ? Math.round(n).toLocaleString('en') : '–';
function time(s) {
  if (!known(s)) return '–';
  if (s < 1) return (1000 * s).toFixed(0) + ' ms';
  if (s < 60) return s.toFixed(s < 10 ? 1 : 0) + ' s';
  const m = Math.round(s / 60);
  return s < 3600 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : `${Math.floor(m / 60)} h ${m % 60} min`;
}
function bytes(b) {
  if (!known(b)) return '–';
  const unit = ['B', 'KiB', 'MiB', 'GiB'];
  let u = 0;
  while (b >= 1024 && u < 3) { b /= 1024; u++; }
  return b.toFixed(b < 10 && u ? 1 : 0) + ' ' + unit[u];
}
const C = (V.candidates || []).map(c => running ? { ...c, test: c.valid } : c);
const baseName = b => b ? String(b).split('/').filter(Boolean).pop() : '';
const many = new Set(C.map(c => c.base).filter(Boolean)).size > 1;
const archOf = c => (c.hyperparameters || {}).arch || '';
const twins = c => C.filter(d => d.route === c.route && (d.base || null) === (c.base || null)).length > 1;
const label = c => c.route + (many && c.base ? ` · ${baseName(c.base)}` : twins(c) ? ` · ${archOf(c)}` : '');
const sideLabel = (c, w) => w < 600 && label(c).length > 16 ? label(c).slice(0, 15) + '…' : label(c);
const ran = c => c.test && known(c.test.mean);
const colour = i => C[i].route === 'baseline' ? 'var(--c0)' : `var(--c${1 + C.filter((c, j) => j < i && c.route !== 'baseline').length % 7})`;
const isWinner = c => V.winner && c.route === V.winner.route && (c.base || null) === (V.winner.base || null) &&
  JSON.stringify(c.hyperparameters || {}) === JSON.stringify(V.winner.hyperparameters || {});
function section(title, note, ...kids) {
  page.append(el('section', {}, el('h2', {}, title), note ? el('p', { class: 'note' }, note) : null, ...kids));
}
function table(head, rows, classes) {
  const numeric = head.map((h, i) => rows.length > 0 && rows.every(r => typeof r[i] !== 'object' && /^[–+\-\d]/.test(String(r[i]))));
  return el('div', { class: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, head.map((h, i) => el('th', { class: numeric[i] ? 'n' : null }, h)))),
    el('tbody', {}, rows.map((r, k) => el('tr', { class: classes ? classes[k] : null },
      r.map((v, i) => el('td', { class: numeric[i] ? 'n' : null }, v)))))));
}
const fold = (title, ...kids) => el('details', {}, el('summary', {}, title), ...kids);
const dot = i => el('span', { class: 'dot', style: `background:${colour(i)}` });

/* ---- scales and axes */
/* Wide figures are drawn for the width there is, so that their text keeps its size on a phone. */
const wide = () => Math.max(330, Math.min(980, page.clientWidth - 78));
function niceStep(span, most) {
  const raw = span / most, ten = Math.pow(10, Math.floor(Math.log10(raw)));
  return [1, 2, 5, 10].map(k => k * ten).find(s => s >= raw);
}
function ticks(low, high, most) {
  const step = niceStep(high - low || 1, most), out = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + 1e-9 * step; t += step) out.push(t);
  return out;
}
function frame(w, h, m, x, y, xs, ys, xtext, ytext) {
  const s = svg('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img' });
  for (const t of ys) {
    s.append(svg('line', { class: 'grid', x1: m.l, x2: w - m.r, y1: y(t), y2: y(t) }));
    s.append(svg('text', { x: m.l - 8, y: y(t) + 4, 'text-anchor': 'end' }, ytext(t)));
  }
  for (const t of xs) s.append(svg('text', { x: x(t), y: h - m.b + 18, 'text-anchor': 'middle' }, xtext(t)));
  s.append(svg('line', { class: 'axis', x1: m.l, x2: w - m.r, y1: h - m.b, y2: h - m.b }));
  return s;
}

/* ---- the verdict */
function verdict() {
  const words = { better: 'clear winner', tie: 'tie: the cheapest is taken', undecided: 'not decided yet', running: 'running' };
  page.append(el('span', { class: 'badge ' + V.outcome }, words[V.outcome] || V.outcome));
  page.append(el('h1', {}, D.sentence || `Take ${V.winner ? V.winner.route : 'nothing yet'}`));
  if (D.how_sure) page.append(el('p', { class: 'lead' }, D.how_sure));
  const w = V.winner, c = C.find(isWinner), tiles = [];
  const tile = (k, v, d) => tiles.push(el('div', { class: 'tile' }, el('div', { class: 'k' }, k), el('div', { class: 'v' }, v), el('div', { class: 'd' }, d)));
  if (c && ran(c)) tile(`${stage} ${metricName} of ${label(c)}`, score(c.test.mean), `95 % interval ${range(c.test.ci95)}; ${count(V.data && V.data.test)} test rows`);
  const r = V.runner_up;
  if (r && r.difference && known(r.difference.mean)) tile(`${r.difference.mean < 0 ? 'Below' : 'Above'} ${r.route} by`, `${points(Math.abs(r.difference.mean))}${share ? ' points' : ''}`, `95 % interval of the difference ${range(r.difference.ci95)}`);
  if (known(V.confidence)) tile('Chance it is the best or as good', `${(100 * V.confidence).toFixed(0)} %`, 'if test rows and seeds were drawn again');
  if (c && c.cost && known(c.cost.seconds)) tile(c.seeds > 1 ? `Its ${c.seeds} training runs took` : 'Training it took', time(c.cost.seconds), c.inference && known(c.inference.ms_per_row) ? `${c.inference.ms_per_row.toPrecision(2)} ms per row to use; ${bytes(c.inference.bytes)} on disk` : '');
  page.append(el('div', { class: 'tiles' }, tiles));
  const why = V.reasons || [], list = some => el('ul', { class: 'why' }, some.map(t => el('li', {}, t)));
  if (why.length) page.append(el('h3', {}, 'Why'), list(why.slice(0, 4)));
  if (why.length > 4) page.append(fold(`and ${why.length - 4} more things that were found`, list(why.slice(4))));
  if ((V.warnings || []).length) page.append(el('div', { class: 'warn' }, el('ul', {}, V.warnings.map(t => el('li', {}, t)))));
}

/* ---- the routes side by side: a dot and its interval for each */
function side_by_side() {
  const done = C.map((c, i) => [c, i]).filter(([c]) => ran(c)).sort((a, b) => (V.higher_is_better === false ? 1 : -1) * (a[0].test.mean - b[0].test.mean));
  if (!done.length) return;
  const all = done.flatMap(([c]) => [c.test.mean, ...(c.test.ci95 || [])]).filter(known);
  let low = Math.min(...all), high = Math.max(...all);
  const room = (high - low || 0.02) * 0.08; low -= room; high += room;
  if (share) { low = Math.max(0, low); high = Math.min(1, high); }
  const w = wide(), row = 40, m = { l: 26 + (w < 600 ? 6.6 : 7.4) * Math.max(...done.map(([c]) => sideLabel(c, w).length)), r: 58, t: 8, b: 30 }, h = m.t + m.b + row * done.length;
  const x = v => m.l + (v - low) / (high - low) * (w - m.l - m.r);
  const s = svg('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': 'test score of each route with its 95 % interval' });
  for (const t of ticks(low, high, w < 600 ? 3 : 6)) {
    s.append(svg('line', { class: 'grid', x1: x(t), x2: x(t), y1: m.t, y2: h - m.b }));
    s.append(svg('text', { x: x(t), y: h - m.b + 18, 'text-anchor': 'middle' }, points(t)));
  }
  done.forEach(([c, i], k) => {
    const y = m.t + row * (k + 0.5), ci = c.test.ci95 || [];
    s.append(svg('text', { class: isWinner(c) ? 'name' : '', x: m.l - 14, y: y + 4, 'text-anchor': 'end' }, sideLabel(c, w)));
    if (known(ci[0]) && known(ci[1])) s.append(svg('line', { x1: x(ci[0]), x2: x(ci[1]), y1: y, y2: y, style: `stroke:${colour(i)}`, 'stroke-width': 7, 'stroke-linecap': 'round', opacity: .32 }));
    s.append(svg('circle', { cx: x(c.test.mean), cy: y, r: isWinner(c) ? 7 : 5.5, style: `fill:${colour(i)}` }));
    s.append(svg('text', { class: isWinner(c) ? 'name' : '', x: w - m.r + 12, y: y + 4 }, points(c.test.mean)));
  });
  const rows = C.map((c, i) => [el('span', { class: 'name' }, dot(i), label(c)),
    ran(c) ? score(c.test.mean) : '–', ran(c) ? range(c.test.ci95) : '–',
    c.cost ? time(c.cost.seconds) : '–', c.forecast ? time(c.forecast.seconds) : '–',
    c.cost ? bytes(c.cost.peak_bytes) : '–', c.forecast ? bytes(c.forecast.peak_bytes) : '–',
    c.inference && known(c.inference.ms_per_row) ? c.inference.ms_per_row.toPrecision(2) + ' ms' : '–',
    count(c.trainable_parameters), known(c.seeds) ? c.seeds : '–', c.overfit && c.overfit.verdict ? c.overfit.verdict : '–', c.status || '']);
  section('The routes side by side', `${stage} ${metricName}${share ? ' in percent' : ''}; the band is where the true value lies with 95 % confidence. ${V.model ? 'All were tested on the same rows.' : 'All routes saw the same rows and repeats.'} In the table, time is of all seeds together, memory the highest of any, per row what an answer takes, trained the parameters that training moves.`,
    el('div', { class: 'card' }, s),
    table(['route', metricName, '95 % interval', 'time', 'forecast', 'memory', 'forecast', 'per row', 'trained', 'seeds', 'overfit', 'status'],
      rows, C.map(c => isWinner(c) ? 'win' : ran(c) ? '' : 'off')),
    C.filter(c => c.why).map(c => el('p', { class: 'note' }, el('b', {}, label(c)), `: ${c.why}`)));
}

/* ---- of an update: what each way adds on new rows, and what it loses on old ones */
function old_and_new() {
  if (!V.model) return;
  const change = g => g && known(g.mean) ? `${g.mean >= 0 ? '+' : ''}${points(g.mean)} (${range(g.ci95)})` : '–';
  const done = C.filter(ran), old = done.some(c => c.old);
  section('New data and old', `${V.rule}${V.old && V.old.unsure ? ' Whether the model has learnt from the old test rows is not known.' : ''}`,
    table(['', 'new test rows', 'against the model as it is', ...(old ? ['old test rows', 'against the model as it is', ''] : [])],
      done.map(c => [label(c), score(c.test.mean), change(c.gain), ...(old ? [score(c.old && c.old.mean), change(c.change), c.forgets ? 'forgets too much' : ''] : [])]),
      done.map(c => isWinner(c) ? 'win' : '')));
}

/* ---- quality against cost */
function cost() {
  const done = C.map((c, i) => [c, i]).filter(([c]) => ran(c) && c.cost && known(c.cost.seconds));
  if (done.length < 2) return;
  const w = wide(), h = w < 600 ? 320 : 380, m = { l: 58, r: 30, t: 18, b: 48 };
  const secs = done.map(([c]) => Math.max(1e-3, c.cost.seconds));
  let x0 = Math.log10(Math.min(...secs)) - 0.25, x1 = Math.log10(Math.max(...secs)) + 0.45;
  const all = done.flatMap(([c]) => [c.test.mean, ...(c.test.ci95 || [])]).filter(known);
  let y0 = Math.min(...all), y1 = Math.max(...all);
  const room = (y1 - y0 || 0.02) * 0.1; y0 -= room; y1 += room;
  if (share) { y0 = Math.max(0, y0); y1 = Math.min(1, y1); }
  const x = v => m.l + (Math.log10(Math.max(1e-3, v)) - x0) / (x1 - x0) * (w - m.l - m.r);
  const y = v => h - m.b - (v - y0) / (y1 - y0) * (h - m.t - m.b);
  const xs = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800].filter(t => Math.log10(t) >= x0 && Math.log10(t) <= x1).filter((t, k, all) => all.length * 62 < w || k % 2 === 0);
  const s = frame(w, h, m, x, y, xs, ticks(y0, y1, 6), time, points);
  s.append(svg('text', { x: w - m.r, y: h - 8, 'text-anchor': 'end' }, 'time of all its training runs (log scale)'));
  const taken = [];
  for (const [c, i] of done) {
    const ci = c.test.ci95 || [], px = x(c.cost.seconds), py = y(c.test.mean);
    if (known(ci[0]) && known(ci[1])) s.append(svg('line', { x1: px, x2: px, y1: y(ci[0]), y2: y(ci[1]), style: `stroke:${colour(i)}`, 'stroke-width': 5, 'stroke-linecap': 'round', opacity: .32 }));
    s.append(svg('circle', { cx: px, cy: py, r: isWinner(c) ? 8 : 6, style: `fill:${colour(i)}` }));
    let ty = py + 4;
    while (taken.some(([a, b]) => Math.abs(a - px) < 130 && Math.abs(b - ty) < 15)) ty += 15;
    taken.push([px, ty]);
    const left = px > w - 8.2 * (w < 600 ? c.route : label(c)).length - 20;
    s.append(svg('text', { class: isWinner(c) ? 'name' : '', x: left ? px - 12 : px + 12, y: ty, 'text-anchor': left ? 'end' : 'start' }, w < 600 ? c.route : label(c)));
  }
  section('Quality against cost', 'Up is better, left is cheaper. Where bands overlap, the cheaper route is usually the wiser one.', el('div', { class: 'card' }, s),
    fold('the numbers', table(['route', metricName, '95 % interval', 'seconds', 'FLOPs', 'peak memory', ...(done.some(([c]) => known(c.cost.joules)) ? ['energy'] : []), ...(done.some(([c]) => known(c.cost.money)) ? ['money'] : []), ...(done.some(([c]) => c.cost.year) ? ['a year: first, again, predictions'] : [])], done.map(([c]) => [label(c), score(c.test.mean), range(c.test.ci95), c.cost.seconds.toPrecision(4), known(c.cost.flops) ? c.cost.flops.toExponential(2) : '–', bytes(c.cost.peak_bytes), ...(done.some(([c]) => known(c.cost.joules)) ? [known(c.cost.joules) ? `${(c.cost.joules / 1e3).toPrecision(3)} kJ` : '–'] : []), ...(known(c.cost.money) ? [c.cost.money.toPrecision(3)] : []), ...(c.cost.year ? [`${time(c.cost.year.seconds)}: ${[c.cost.year.first_seconds, c.cost.year.again_seconds, c.cost.year.predictions_seconds].map(x => known(x) ? time(x) : '–').join(', ')}` + (known(c.cost.year.money) ? ` (${c.cost.year.money.toPrecision(3)})` : '')] : [])]))));
}

/* ---- the learning curve: points measured, the law as a line, dashed where it foretells */
function amount() {
  const K = D.curve;
  if (!K || !(K.routes || []).length) return;
  const of = r => C[r.candidate], law = (r, n) => { const e = r.law.c + r.law.a * Math.pow(n, -r.law.b); return V.higher_is_better ? 1 - e : e; };
  const first = Math.min(...K.routes.flatMap(r => r.points.map(p => p.rows))), last = 4 * K.now;
  const all = K.routes.flatMap(r => r.points.flatMap(p => [p.mean, ...(p.ci95 || [])]).concat(r.found ? [law(r, last)] : [])).filter(known);
  let y0 = Math.min(...all), y1 = Math.max(...all); const room = (y1 - y0 || 0.1) * 0.06; y0 -= room; y1 += room;
  if (share) { y0 = Math.max(0, y0); y1 = Math.min(1, y1); }
  const w = wide(), h = w < 600 ? 300 : 400, m = { l: 52, r: w < 600 ? 22 : 90, t: 14, b: 46 };
  const x = n => m.l + Math.log(n / first) / Math.log(last / first) * (w - m.l - m.r), y = v => h - m.b - (v - y0) / (y1 - y0) * (h - m.t - m.b);
  const xs = []; for (let n = K.now; n >= first * 0.99; n /= w < 600 ? 4 : 2) xs.unshift(n); xs.push(...(w < 600 ? [4 * K.now] : [2 * K.now, 4 * K.now]));
  const s = frame(w, h, m, x, y, xs, ticks(y0, y1, 6), n => count(n), points);
  s.append(svg('line', { class: 'axis', x1: x(K.now), x2: x(K.now), y1: m.t, y2: h - m.b, 'stroke-dasharray': '2 3' }));
  s.append(svg('text', { x: x(K.now) - 6, y: m.t + 10, 'text-anchor': 'end' }, 'your data'));
  s.append(svg('text', { x: w - m.r, y: h - 6, 'text-anchor': 'end' }, 'training rows (log scale)'));
  const line = (r, from, to, dash, i) => { const d = []; for (let k = 0; k <= 40; k++) { const n = from * Math.pow(to / from, k / 40); d.push(`${k ? 'L' : 'M'}${x(n).toFixed(1)} ${y(law(r, n)).toFixed(1)}`); }
    s.append(svg('path', { d: d.join(''), fill: 'none', style: `stroke:${colour(i)}`, 'stroke-width': 2, 'stroke-dasharray': dash, opacity: dash ? .7 : .9 })); };
  const taken = [];
  for (const r of K.routes) {
    const i = r.candidate;
    if (r.found) { line(r, first, K.now, '', i); line(r, K.now, last, '5 5', i); }
    for (const p of r.points) {
      const ci = p.ci95 || [];
      if (known(ci[0]) && known(ci[1])) s.append(svg('line', { x1: x(p.rows), x2: x(p.rows), y1: y(ci[0]), y2: y(ci[1]), style: `stroke:${colour(i)}`, 'stroke-width': 5, 'stroke-linecap': 'round', opacity: .3 }));
      s.append(svg('circle', { cx: x(p.rows), cy: y(p.mean), r: 4.5, style: `fill:${colour(i)}` }));
    }
    let ty = y(r.found ? law(r, last) : r.points[r.points.length - 1].mean) + 4;
    while (taken.some(b => Math.abs(b - ty) < 14)) ty += 14;
    taken.push(ty);
    if (w >= 600) s.append(svg('text', { x: w - m.r + 8, y: ty, class: isWinner(of(r)) ? 'name' : '', style: `fill:${colour(i)}` }, label(of(r))));
  }
  const cross = V.crossover && V.crossover.examples;
  if (known(cross) && cross > first && cross < last) {
    s.append(svg('line', { x1: x(cross), x2: x(cross), y1: m.t, y2: h - m.b, style: 'stroke:var(--soft)', 'stroke-width': 1.5 }));
    s.append(svg('text', { x: x(cross) + 6, y: h - m.b - 8 }, `crossover: ${count(cross)}`));
  }
  const both = K.base >= 0 && K.scratch >= 0, ahead = (K.ahead || []).filter(a => known(a.p));
  section('How the answer changes with the amount of data', 'Every route was trained again on parts of your rows, each part inside the next. Line: the law through the points; dashed beyond what was measured, not drawn beyond four times your data or where it failed to foretell the largest part.',
    el('div', { class: 'card' }, s, el('div', { class: 'legend' }, K.routes.map(r => el('span', {}, dot(r.candidate), label(of(r)), r.found ? '' : ' (no law found)')))),
    both && ahead.length ? table([`chance that ${label(of(K.routes[K.base]))} beats ${label(of(K.routes[K.scratch]))} with`, ...ahead.map(a => a.times === 1 ? 'your data' : `${a.times} times as much${a.times > 4 ? ' (far beyond)' : ''}`)], [['', ...ahead.map(a => `${(100 * a.p).toFixed(0)} %`)]]) : null,
    fold('the numbers', table(['route', 'training rows', 'seeds', metricName, '95 % interval'], K.routes.flatMap(r => r.points.map(p => [label(of(r)), count(p.rows), p.repeats, score(p.mean), range(p.ci95)]))),
      table(['route', 'law of the error', 'foretold the largest part'], K.routes.map(r => [label(of(r)), r.found ? `${r.law.c.toPrecision(3)} + ${r.law.a.toPrecision(3)} · n^-${r.law.b.toPrecision(3)}` : 'none found', r.missed ? `${points(r.missed.mean)} off (${range(r.missed.ci95)})` : '–']))));
}

/* ---- training curves: thin lines are single seeds, train dashed, validation full */
function curves() {
  const runs = (D.runs || []).filter(r => (r.points || []).length > 1);
  if (!runs.length) return;
  const values = runs.flatMap(r => r.points.flatMap(p => [p.train_metric, p.valid_metric])).filter(known);
  if (!values.length) return;
  let y0 = Math.min(...values), y1 = Math.max(...values); const room = (y1 - y0 || 0.1) * 0.05; y0 -= room; y1 += room;
  const cards = [];
  for (const i of [...new Set(runs.map(r => r.candidate))]) {
    if (!C[i]) continue;
    const mine = runs.filter(r => r.candidate === i), most = Math.max(...mine.flatMap(r => r.points.map(p => p.epoch)), 1);
    const w = 340, h = 220, m = { l: 40, r: 12, t: 10, b: 30 };
    const x = v => m.l + v / most * (w - m.l - m.r), y = v => h - m.b - (v - y0) / (y1 - y0) * (h - m.t - m.b);
    const s = frame(w, h, m, x, y, ticks(0, most, 5).filter(t => t === Math.round(t)), ticks(y0, y1, 5), t => t, points);
    for (const r of mine) for (const [key, dash] of [['train_metric', '4 4'], ['valid_metric', '']]) {
      const d = r.points.filter(p => known(p[key])).map((p, k) => `${k ? 'L' : 'M'}${x(p.epoch).toFixed(1)} ${y(p[key]).toFixed(1)}`).join('');
      if (d) s.append(svg('path', { d, fill: 'none', style: `stroke:${colour(i)}`, 'stroke-width': key === 'valid_metric' ? 2 : 1.2, 'stroke-dasharray': dash, opacity: key === 'valid_metric' ? .9 : .6 }));
    }
    const o = C[i].overfit || {};
    cards.push(el('div', { class: 'card' }, el('div', {}, dot(i), el('b', {}, label(C[i]))), s,
      el('div', { class: 'small' }, `epochs; ${mine.length} ${mine.length === 1 ? 'seed' : 'seeds'}` + (o.verdict ? `; overfit: ${o.verdict}${known(o.train_minus_valid) ? ` (train is ${points(o.train_minus_valid)} above validation)` : ''}` : ''))));
  }
  section('How training went', `${metricName[0].toUpperCase() + metricName.slice(1)} by epoch. Full line: validation rows, which choose the kept weights. Dashed: training rows. A wide gap between the two is overfitting.`, el('div', { class: 'grid2' }, cards),
    fold('the numbers', table(['route', 'seed', 'epochs', 'best epoch', 'why it stopped', `best validation ${metricName}`], runs.map(r => [C[r.candidate] ? label(C[r.candidate]) : r.candidate, r.seed, count(Math.max(...r.points.map(p => p.epoch))), known(r.best_epoch) ? r.best_epoch : '–', r.stopped || '', score(Math.max(...r.points.map(p => p.valid_metric).filter(known)))]))));
}

/* ---- where the winner is wrong */
function mistakes() {
  const k = D.confusion, parts = [];
  if (k && k.classes && k.classes.length <= 40) {
    const cell = (v, total, same) => {
      const f = total ? v / total : 0, hue = same ? 'var(--c1)' : 'var(--c2)';
      return el('td', { style: v ? `background:color-mix(in srgb, ${hue} ${Math.round(12 + 78 * f)}%, transparent);color:${f > 0.55 ? 'var(--card)' : 'var(--ink)'}` : '' }, v ? v : '·');
    };
    parts.push(el('div', { class: 'card scroll' }, el('div', { class: 'small' }, 'rows: the true class; columns: what the model said'), el('table', { class: 'cm' },
      el('tr', {}, el('th', {}), k.classes.map(c => el('th', { class: 'col' }, el('div', { title: c }, c)))),
      k.counts.map((r, i) => el('tr', {}, el('th', { class: 'row', title: k.classes[i] }, k.classes[i]), r.map((v, j) => cell(v, r.reduce((a, b) => a + b, 0), i === j)))))));
  }
  if ((D.per_class || []).length) parts.push(fold('by class', table(['class', 'rows', 'precision', '95 % interval', 'recall', '95 % interval', 'F1', ...(D.per_class[0].threshold ? ['average precision', 'said from'] : [])], D.per_class.map(c => [c.class, count(c.rows), score(c.precision), range(c.precision_ci95), score(c.recall), range(c.recall_ci95), score(c.f1), ...(c.threshold ? [score(c.average_precision), c.threshold.toFixed(3)] : [])]))));
  if ((D.mistakes || []).length) parts.push(el('h3', {}, 'Its worst mistakes'), el('p', { class: 'note' }, 'Test rows it got wrong with the most confidence. Wrong labels in the data often show up here first.'),
    faces(D.mistakes));
  if (parts.length) section('Where the winner is wrong', `On the test rows, by the model in best/.`, ...parts);
}

const faces = list => el('div', { class: 'faces' }, list.map(f => {
  const img = f.image ? el('img', { src: f.image, alt: '' }) : null;
  if (img) img.addEventListener('load', () => { if (img.naturalWidth < 64) img.className = 'tiny'; });
  return el('figure', {}, img, f.text ? el('blockquote', {}, f.text) : null, el('div', {}, `said ${f.predicted}`, known(f.probability) ? ` (${(100 * f.probability).toFixed(0)} %)` : ''), el('div', {}, `is ${f.true}`), el('div', { class: 'small' }, f.row));
}));

/* ---- labels that are probably wrong */
function labels() {
  const l = V.labels;
  if (!l || !l.suspects) return;
  section('Labels that are probably wrong', `${count(l.suspects)} of ${count(l.rows)} test rows: models that had not seen them are surer of another class than they usually are of their own. About ${(100 * l.noise).toFixed(1)} % of the labels are wrong by that count; no difference between routes below it means anything. Look at them; correct those that are wrong.`,
    (D.labels || []).length ? el('div', { class: 'card' }, faces(D.labels)) : null);
}

/* ---- can its probabilities be believed */
function believed() {
  const k = V.calibration;
  if (!k) return;
  const row = (name, b) => [name, points(b.ece), b.brier.toPrecision(3), b.log_loss.toPrecision(3)];
  section('Can its probabilities be believed?', `When it says 90 %, is it right nine times of ten? On average it is ${points(k.as_it_is.ece)} points off.${k.at_temperature.ece < 0.8 * k.as_it_is.ece ? ` Dividing its logits by ${k.temperature.toFixed(2)}, which validation rows suggest, would bring that to ${points(k.at_temperature.ece)}.` : ''}`,
    fold('the numbers', table(['', 'calibration error, points', 'Brier score', 'log loss'], [row('as it is', k.as_it_is), row(`at temperature ${k.temperature.toFixed(2)}`, k.at_temperature)])));
}

/* ---- dots and intervals of each route at several places: groups, another test set */
function rows_of_dots(rows, low, high, show) {
  const w = wide(), h = 34 + 24 * rows.length, m = { l: Math.min(190, w * 0.36), r: 18, t: 8, b: 26 };
  const x = v => m.l + (v - low) / (high - low || 1) * (w - m.l - m.r), s = frame(w, h, m, x, v => v, ticks(low, high, 5), [], show, t => t);
  rows.forEach((r, k) => {
    const y = m.t + 12 + 24 * k;
    s.append(svg('text', { x: m.l - 10, y: y + 4, 'text-anchor': 'end', class: r.bold ? 'name' : '' }, r.name.length > 26 ? r.name.slice(0, 25) + '…' : r.name));
    s.append(svg('line', { class: 'grid', x1: m.l, x2: w - m.r, y1: y, y2: y }));
    for (const d of r.dots) {
      const ci = d.ci95 || [];
      if (known(ci[0]) && known(ci[1])) s.append(svg('line', { x1: x(ci[0]), x2: x(ci[1]), y1: y, y2: y, style: `stroke:${colour(d.candidate)}`, 'stroke-width': 5, 'stroke-linecap': 'round', opacity: .3 }));
      s.append(svg('circle', { cx: x(d.mean), cy: y, r: 4.5, style: d.hollow ? `fill:var(--card);stroke:${colour(d.candidate)};stroke-width:2` : `fill:${colour(d.candidate)}` }));
    }
  });
  return s;
}
const ends = dots => { const v = dots.flatMap(d => [d.mean, ...(d.ci95 || [])]).filter(known); return [Math.min(...v), Math.max(...v)]; };

function shifted() {
  const S = V.shifted;
  if (!S) return;
  const rows = S.candidates.map(d => ({ name: label(C[d.candidate]), bold: isWinner(C[d.candidate]), dots: [{ ...C[d.candidate].test, ci95: null, candidate: d.candidate, hollow: true }, d] }));
  const [low, high] = ends(rows.flatMap(r => r.dots));
  section('On data from elsewhere', `${S.path}: ${count(S.rows)} rows (--shifted). Full dot: there; hollow: on the test part. ${label(C[S.best])} is best there${S.outcome === 'better' ? ', by more than chance explains' : ''}. It decides nothing.`,
    el('div', { class: 'card' }, rows_of_dots(rows, low, high, points)),
    fold('the numbers', table(['route', 'on test', 'there', '95 % interval'], S.candidates.map(d => [label(C[d.candidate]), score(C[d.candidate].test.mean), score(d.mean), range(d.ci95)]))));
}

function groups() {
  const G = V.groups;
  if (!G || !G.candidates.length) return;
  const right = G.score === 'share right', say = v => right ? (100 * v).toFixed(1) : v.toPrecision(3), shown = right ? v => (100 * v).toFixed(0) : v => v.toPrecision(3);
  const mine = G.candidates.find(g => isWinner(C[g.candidate])) || G.candidates[0];
  const other = G.gap && G.candidates.find(g => g.candidate === (C[mine.candidate].base ? G.gap.scratch : G.gap.base) && g !== mine);
  const order = [...mine.all].sort((a, b) => right ? a.mean - b.mean : b.mean - a.mean).slice(0, 20);
  const rows = order.map(g => ({ name: `${g.group} (${count(g.rows)})`, bold: mine.worst && g.group === mine.worst.group, dots: [...(other ? other.all.filter(o => o.group === g.group).map(o => ({ ...o, ci95: null, candidate: other.candidate, hollow: true })) : []), { ...g, candidate: mine.candidate }] }));
  const [low, high] = ends(rows.flatMap(r => r.dots));
  section(`For whom it works: by ${G.column}`, `${right ? 'Share of rows that are right, in percent' : 'Mean absolute error'}, by group; the worst first${mine.all.length > order.length ? `, ${order.length} of ${mine.all.length}` : ''}. Full dot: ${label(C[mine.candidate])}${other ? `; hollow: ${label(C[other.candidate])}` : ''}. ${G.gap ? (G.gap.ci95 && G.gap.ci95[0] <= 0 && G.gap.ci95[1] >= 0 ? `The base neither widens nor narrows the gap of “${G.gap.group}” by more than chance explains.` : `The base ${G.gap.mean > 0 ? 'widens' : 'narrows'} the gap of “${G.gap.group}” to the mean of all by ${say(Math.abs(G.gap.mean))}${right ? ' points' : ''}.`) : ''}`,
    el('div', { class: 'card' }, rows_of_dots(rows, low, high, shown)),
    fold('the numbers', table(['route', 'worst group', 'rows', right ? 'right' : 'error', '95 % interval'], G.candidates.filter(g => g.worst).map(g => [label(C[g.candidate]), g.worst.group, count(g.worst.rows), say(g.worst.mean), g.worst.ci95 ? `${say(g.worst.ci95[0])} to ${say(g.worst.ci95[1])}` : '–'])),
      table(['group', 'rows', right ? 'right' : 'error', '95 % interval'], mine.all.map(g => [g.group, count(g.rows), say(g.mean), g.ci95 ? `${say(g.ci95[0])} to ${say(g.ci95[1])}` : '–']))));
}

/* ---- how it was decided: the looks at the test part, and the two models themselves */
function looks() {
  const L = V.looks || [], m = V.runner_up && V.runner_up.delivered;
  const words = { better: 'one is better than all others', tie: 'the best are equal within the margin', futile: 'open, and more seeds would hardly decide it', last: 'open, and no more seeds were to come' };
  const d = V.runner_up && V.runner_up.difference;
  if (!L.length && !m) return;
  section('How it was decided', 'Every candidate is compared with all others at once. The test part is looked at only after numbers of seeds that were fixed beforehand, and that chance has more than one turn is counted in; three seeds never make a win.',
    L.length ? table(['look after', 'p must be below', 'found'], L.map(l => [`${l.seeds} seeds`, l.level ? l.level.toPrecision(2) : 'no win can be called', words[l.ends] || 'open, more seeds followed'])) : null,
    d && known(d.p) ? el('p', { class: 'note' }, `Against ${V.runner_up.route}, the next: p ${d.p < 0.001 ? '< 0.001' : `= ${d.p.toFixed(3)}`}, corrected for the number of routes and of looks; below 0.05 it counts.`) : null,
    m ? el('p', { class: 'note' }, `The two models themselves, this one and the best of ${V.runner_up.route}: ${count(m.only_winner_right)} rows only the first has right, ${count(m.only_runner_up_right)} only the second (McNemar's exact test: p = ${m.p.toPrecision(2)}). That says which of two files is better, not which route.`) : null);
}

/* ---- the data, and what came from the bases */
function data() {
  const P = D.profile || {}, d = V.data || {}, parts = [];
  parts.push(table(['training rows', 'validation rows', 'test rows', 'classes'], [[count(d.train), count(d.valid), count(d.test), count(d.classes)]]));
  for (const f of P.findings || []) parts.push(el('div', { class: 'finding ' + (f.level || f.severity || '') }, el('div', {}, f.text || f.what || f.finding || String(f)), f.todo || f.remedy || f.what_to_do ? el('div', { class: 'small' }, f.todo || f.remedy || f.what_to_do) : null));
  const facts = f => `${(100 * f).toFixed(0)} %`;
  if (P.shortcuts) parts.push(fold(`what one plain fact alone foretells of the label (${P.shortcuts.tests} looked at)`, el('p', { class: 'note' }, `In ${count(P.shortcuts.rows)} rows, each told by others; every class counts alike, chance is ${facts(P.shortcuts.chance)}; the interval is corrected for the number of facts.`),
    table(['fact', 'right', 'interval', ''], P.shortcuts.facts.map(f => [f.fact, facts(f.score), `${facts(f.low)} to ${facts(f.high)}`, f.said ? 'look at it' : '']))));
  for (const p of P.drift || []) parts.push(fold(`the ${p.part} part beside the training part: ${p.facts.filter(f => f.said).length} of ${p.facts.length} facts differ`, el('p', { class: 'note' }, `${count(p.rows)} rows beside ${count(p.training_rows)}: Kolmogorov and Smirnov's test of numbers, Pearson's of categories; p is corrected for ${p.tests} tests. Difference: 0 alike, 1 nothing in common. Of categories the level that differs most.`),
    table(['fact', 'training', p.part, 'difference', 'p', ''], p.facts.map(f => [f.fact, ...[f.training, f.there].map(x => known(x) ? f.kind === 'category' ? facts(x) : x.toPrecision(4) : '–'), f.effect.toFixed(2), f.p < 0.001 ? '< 0.001' : f.p.toFixed(3), f.said ? 'differs' : '']))));
  if (P.languages) parts.push(fold('languages', table(['language', `texts of ${count(P.languages.rows)}`], P.languages.found.map(l => [l.name, count(l.rows)]))));
  if ((P.bases || []).length) parts.push(fold('how far the data lies from each base', table(['base', 'first layer', 'words in crumbs', 'of plain English', 'unknown', 'parts differ (p)', ''], P.bases.map(b => [baseName(b.base), b.norms && known(b.norms.first) ? b.norms.first.toFixed(2) : '–', ...(b.tokenizer ? [b.tokenizer.broken, b.tokenizer.english.broken, b.tokenizer.unknown].map(facts) : ['–', '–', '–']), b.drift ? b.drift.p.toFixed(3) : '–', b.far ? `far: ${b.why}` : 'not far']))));
  const classes = P.classes && Array.isArray(P.classes) ? P.classes : [];
  if (classes.length && classes.length <= 100) {
    const keys = ['train', 'valid', 'test'].filter(k => classes.some(c => known(c[k])));
    parts.push(fold('rows by class', table(['class', ...(keys.length ? keys : ['rows'])], classes.map(c => [c.name || c.class, ...(keys.length ? keys.map(k => count(c[k])) : [count(c.rows || c.count)])]))));
  }
  for (const l of (D.loads || []).filter(l => l.card)) parts.push(el('p', { class: 'note' }, `${baseName(l.base)}, as it says of itself: licence ${l.card.license || 'not stated'}; trained on ${l.card.datasets || 'data that are not stated'}. A model made from it inherits both.`));
  for (const l of D.loads || []) parts.push(fold(`weights read from ${baseName(l.base)}: ${count(l.loaded)} loaded, ${(l.fresh || []).length} new, ${(l.unused || []).length} unused`, el('p', { class: 'note' }, `naming: ${l.scheme || 'own'}`), el('pre', {}, [...(l.fresh || []).map(n => 'new     ' + n), ...(l.unused || []).map(n => 'unused  ' + n)].join('\n') || 'every tensor found its place')));
  section('The data', d.path ? `${d.path}; sha256 ${String(d.sha256 || '').slice(0, 12)}` : '', ...parts);
}

function routes() {
  if (!(D.routes || []).length) return;
  section('What each route is', '', el('dl', {}, D.routes.flatMap(r => [el('dt', {}, el('b', {}, r.name)), el('dd', { style: 'margin:0 0 10px' }, r.plain || r.doc, r.source ? el('span', { class: 'small' }, ` ${r.source}`) : null)])));
}

function use() {
  const parts = (D.use || []).flatMap(u => [el('h3', {}, u.title), el('pre', {}, u.command)]);
  if (D.command) parts.push(el('h3', {}, 'Repeat this comparison'), el('pre', {}, D.command));
  const b = V.budget || {};
  if (known(b.used)) parts.push(el('p', { class: 'note' }, `The comparison used ${time(b.used)}${known(b.seconds) ? ` of a budget of ${time(b.seconds)}` : ''}. Smallest difference it could see (80 % power), said before anything ran: ${points(V.minimum_detectable_difference)}${share ? ' points' : ''}${known(D.detectable_as_measured) ? `; as measured: ${points(D.detectable_as_measured)}${share ? ' points' : ''}` : ''}.`));
  if (parts.length) section('Use it, repeat it', '', ...parts);
}

/* ---- how the budget was spent: what was foretold and stopped, what was saved, what was left out */
function spent() {
  const R = V.race || {}, B = V.budget || {}, S = B.saved, told = C.flatMap(c => (c.race || []).map(t => [c, t]));
  const parts = [];
  if (S && known(S.alone_seconds)) {
    parts.push(table(['', 'time'], [['its training runs took (measured; without those of the learning curve)', time(S.runs_seconds)], ['not computed twice: features and frozen parts', time(S.caching)],
      ['computed once for several: features, data, models', time(S.sharing)], ['not run: settings and seeds stopped early', time(S.stopping)],
      [`every setting of every route alone, each seed (${count(S.alone_runs)} runs instead of ${count(S.runs)})`, time(S.alone_seconds)]]));
  }
  if ((B.left_out || []).length) parts.push(el('p', {}, `Left out: ${B.left_out.join('; ')}.`));
  if (told.length) parts.push(fold('every foretelling, and what became of it', table(['route', 'rate', 'decay', ...(R.draws > 1 ? ['seed'] : []), 'of its schedule', 'validation then', 'foretold', 'give or take', 'lowest loss', 'decided', 'ended with'],
    told.map(([c, t]) => [label(c), t.lr.toPrecision(2), t.weight_decay.toPrecision(2), ...(R.draws > 1 ? [count(t.draw + 1)] : []), `${(100 * t.share).toFixed(0)} %`, score(t.seen), score(t.foretold), known(t.error) ? points(t.error) : '–', known(t.loss) ? t.loss.toPrecision(3) : '–', t.stopped ? 'stopped' : 'went on', score(t.ended)]))));
  if (parts.length) section('How the budget was spent', `${R.foretold ? `Within a route, settings race on its own schedule; across routes one is stopped only where validation foretells that it ends too far behind. Of ${count(R.ended)} foretellings that could be checked ${count(R.missed)} ${R.missed === 1 ? 'was' : 'were'} off by more than two errors; ${count(R.regretted)} of ${count(R.stopped)} stopped had been foretold more than what went on in their place reached. ` : ''}${S ? 'What was saved is estimated from what like runs took.' : ''}`, ...parts);
}

function about() {
  const m = D.machine || {}, name = V.data && V.data.path ? baseName(V.data.path) : 'report';
  document.title = `Tailor: ${name}`;
  document.getElementById('about').textContent = `${V.task || ''} on ${name}`;
  const when = known(D.finished) ? new Date(1000 * D.finished).toISOString().slice(0, 16).replace('T', ' ') + ' UTC; ' : '';
  document.getElementById('foot').textContent = `${when}Tailor ${V.version || ''}${m.cpu ? `; ${m.cpu}, ${m.threads} threads, ${m.isa || ''} ${m.precision || ''}` : ''}. This page is one file and asks the network for nothing.`;
}

function render() {
  const open = new Set([...page.querySelectorAll('details[open] > summary')].map(e => e.textContent));
  page.replaceChildren();
  verdict(); side_by_side(); old_and_new(); shifted(); groups(); amount(); cost(); curves(); mistakes(); labels(); believed(); looks(); spent(); data(); routes(); use();
  for (const e of page.querySelectorAll('details > summary')) if (open.has(e.textContent)) e.parentNode.open = true;
}
about();
render();
redraw = render;
}

/* ---- a running study: its server is asked every second, the page drawn anew where it changed */
function follow() {
  const now = document.createElement('p');
  now.className = 'note';
  now.id = 'now';
  now.setAttribute('aria-live', 'off');
  document.getElementById('page').before(now);
  now.style.cssText = 'max-width:1080px;margin:8px auto 0;padding:0 22px';
  let number = -1, missed = 0, done = false;
  async function ask() {
    try {
      const got = await (await fetch(`study.json?after=${number}`, { cache: 'no-store' })).json();
      missed = 0;
      if (!done) now.textContent = got.now;
      if (got.page) {
        report(got.page.verdict, got.page.detail);
        number = got.number;
        done = got.page.verdict.outcome !== 'running';
        if (done) now.textContent = 'The study has ended; report.html and verdict.json hold what stands here.';
      }
    } catch {
      missed++;
      if (!done && missed > 2) now.textContent = 'The study no longer answers: it ended or was stopped. What stands here is the last it said.';
    }
    if (!done && missed < 30) setTimeout(ask, 1000);
  }
  ask();
}

const blocks = ['verdict', 'detail'].map(id => document.getElementById(id));
if (blocks.every(Boolean)) report(...blocks.map(e => JSON.parse(e.textContent)));
else follow();
const root = document.documentElement;
document.getElementById('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});
let drawn = root.clientWidth, later = 0;
window.addEventListener('resize', () => {
  clearTimeout(later);
  later = setTimeout(() => { if (root.clientWidth !== drawn) { drawn = root.clientWidth; redraw(); } }, 150);
});
})();
