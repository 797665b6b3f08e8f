#!/usr/bin/env node
// The live view and the report in a real browser: Chromium, driven through its debugging pipe.  A study
// of generated pictures runs with --serve; the page is watched, clicked, resized, turned dark, until the
// verdict stands in it; then report.html is opened.  Passes where no console line, no exception, no
// request but to the page's own server, and the numbers in the page are the study's.
//   tools/peer/live_view.mjs BUILD [SCREENSHOT-FOLDER]
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const build = resolve(process.argv[2] || 'build'), shots = process.argv[3];
const here = mkdtempSync(join(tmpdir(), 'tailor-live-'));
const wait = ms => new Promise(done => setTimeout(done, ms));
let passed = 0, failed = 0;
function check(name, good, detail = '') {
  good ? passed++ : failed++;
  console.log(`${good ? 'ok' : 'not ok'} - ${name}${good ? '' : `  ${detail}`}`);
}

function study() {
  spawnSync(join(build, 'tailor-strokes'), ['digits', '1', '500', '600', join(here, 'data')]);
  const run = spawn(join(build, 'tailor'), ['compare', 'data', '--arch', 'conv 8 3 relu, pool 2, dense 64 relu',
    '--routes', 'baseline,scratch', '--epochs', '15', '--seeds', '4', '--budget', '5m', '--serve', '0', '--out', 'out'], { cwd: here });
  const state = { run, port: 0, said: '', ended: null };
  run.stdout.resume();
  run.stderr.on('data', d => { state.said += d; state.port ||= +(state.said.match(/127\.0\.0\.1:(\d+)\//) || [])[1] || 0; });
  state.end = new Promise(done => run.on('exit', code => done(state.ended = code)));
  return state;
}

function browser() {
  const chrome = spawn(process.env.CHROMIUM || 'chromium', ['--headless=new', '--no-sandbox', '--disable-gpu',
    '--no-first-run', '--disable-background-networking', '--remote-debugging-pipe', `--user-data-dir=${join(here, 'profile')}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const asked = new Map(), heard = [];
  let next = 1, rest = '';
  chrome.stdio[4].on('data', d => {
    const parts = (rest + d).split('\0');
    rest = parts.pop();
    for (const m of parts.map(p => JSON.parse(p))) {
      if (m.id) { asked.get(m.id)(m); asked.delete(m.id); } else heard.push(m);
    }
  });
  const send = (method, params = {}, sessionId) => new Promise((done, fail) => {
    asked.set(next, m => m.error ? fail(new Error(`${method}: ${m.error.message}`)) : done(m.result));
    chrome.stdio[3].write(JSON.stringify({ id: next++, method, params, sessionId }) + '\0');
  });
  return { chrome, send, heard };
}

const b = browser();
const { targetId } = await b.send('Target.createTarget', { url: 'about:blank' });
const { sessionId } = await b.send('Target.attachToTarget', { targetId, flatten: true });
const page = (method, params) => b.send(method, params, sessionId);
const value = async expression => (await page('Runtime.evaluate', { expression, returnByValue: true })).result.value;
async function until(expression, ms = 60000) {
  for (let t = 0; t < ms; t += 200) { if (await value(expression)) return true; await wait(200); }
  return false;
}
async function look(name, width, dark) {
  await page('Emulation.setDeviceMetricsOverride', { width, height: 1000, deviceScaleFactor: 1, mobile: width < 600 });
  await page('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
  await wait(500);
  check(`${name}: nothing wider than the window`, await value('document.documentElement.scrollWidth <= document.documentElement.clientWidth'));
  if (shots) writeFileSync(join(shots, `${name}.png`), Buffer.from((await page('Page.captureScreenshot', { captureBeyondViewport: true })).data, 'base64'));
}
async function click(selector) {
  const at = await value(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); if (!e) return null; e.scrollIntoView({ block: 'center' }); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`);
  if (!at) return false;
  for (const type of ['mousePressed', 'mouseReleased']) await page('Input.dispatchMouseEvent', { type, x: at[0], y: at[1], button: 'left', clickCount: 1 });
  await wait(100);
  return true;
}

for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page(`${domain}.enable`);
const s = study();
while (!s.port && s.ended === null) await wait(50);
const home = `http://127.0.0.1:${s.port}/`;
await page('Page.navigate', { url: home });
check('the page says that it runs', await until(`document.querySelector('.badge.running') !== null`), s.said.slice(-300));
check('a line says what is being done', await until(`document.getElementById('now').textContent.length > 5`));
await look('live-light', 1200, false);
await look('live-dark-phone', 390, true);
await look('live', 1200, false);
check('more is shown as runs end', await until(`document.querySelectorAll('section svg circle').length >= 2`));
check('light and dark by a click', await click('#theme') && await value(`document.documentElement.dataset.theme === 'dark'`));
check('a part opens by a click', await click('details > summary') && await value(`document.querySelector('details').open`));
check('and stays open when the page is drawn anew', await (async () => {
  const title = await value(`document.querySelector('details[open] > summary').textContent`);
  await wait(2500);
  return value(`[...document.querySelectorAll('details[open] > summary')].some(e => e.textContent === ${JSON.stringify(title)})`);
})());
check('the verdict arrives', await until(`document.querySelector('.badge.better, .badge.tie, .badge.undecided') !== null`, 200000), s.said.slice(-300));
check('the study ends well', await s.end === 0);
const verdict = JSON.parse(readFileSync(join(here, 'out/verdict.json')));
const best = verdict.candidates.find(c => c.route === verdict.winner.route);
const shown = (100 * best.test.mean).toFixed(1) + ' %';
check('its numbers stand in the page', await value(`document.body.textContent.includes(${JSON.stringify(shown)})`), shown);
await wait(2500);
await page('Page.navigate', { url: 'file://' + join(here, 'out/report.html') });
check('the report opens offline', await until(`document.querySelector('.badge') !== null`) && await value(`document.body.textContent.includes(${JSON.stringify(shown)})`));
await look('report-light', 1200, false);
await look('report-dark-phone', 390, true);

const loud = b.heard.filter(m => (m.method === 'Runtime.consoleAPICalled') || m.method === 'Runtime.exceptionThrown' ||
  (m.method === 'Log.entryAdded' && !(m.params.entry.source === 'network' && s.ended !== null)));
check('no console line, no exception', loud.length === 0, JSON.stringify(loud.slice(0, 3)));
const urls = b.heard.filter(m => m.method === 'Network.requestWillBeSent').map(m => m.params.request.url);
const others = urls.filter(u => !u.startsWith(home) && !u.startsWith('file://' + here) && !u.startsWith('data:'));
check('no request to anywhere else', urls.length > 5 && others.length === 0, others.join(' '));
b.chrome.kill();
await wait(500);
rmSync(here, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
