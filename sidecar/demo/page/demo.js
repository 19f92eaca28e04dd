// The demo's page: shows the world's stream, and turns its switches.

import { announce, stopped } from './announcing.js';
import { drawing, list, make, prose, say, set } from './dom.js';
import { events } from './events.js';
import { flow } from './flow.js';
import { ICONS } from './icons.js';
import { ladder } from './ladder.js';
import { payers } from './payers.js';
import { story } from './story.js';
import { switches } from './switches.js';
import { table } from './table.js';
import { breaks, next, safe, span, why } from './words.js';

const SPEEDS = [1, 5, 20];
const SILENT_MS = 6000; // the stream sends a message every second

const by = (id) => document.getElementById(id);

async function send(path, body) {
  const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json()).message);
}

/** Send an action; announce a failure. */
async function ask(path, body) {
  try {
    await send(path, body);
  } catch (error) {
    announce(`Failed: ${error.message}`);
  }
}

const parts = [
  verdict,
  flow(by('map')),
  ladder(by('rungs'), by('gates'), by('gates-hint')),
  story(by('steps'), by('start'), by('story-hint'), () => ask('/story', { on: true })),
  switches(by('switches'), (key, on) => ask(`/switches/${encodeURIComponent(key)}`, { on })),
  table(by('comparison'), by('rescued')),
  payers(by('payers')),
  events(by('events')),
  speed,
];

function verdict(world) {
  const answer = safe(world);
  const answers = { safe: answer.text, why: why(world), next: next(world), breaks: breaks(world) };
  for (const [name, text] of Object.entries(answers)) prose(document.querySelector(`[data-answer="${name}"]`), text);
  if (by('verdict').dataset.drawn !== answer.drawing) by('signal').replaceChildren(drawing(ICONS[answer.drawing]));
  set(by('verdict'), { 'data-is': answer.is, 'data-drawn': answer.drawing });
  say(by('now'), `Is push safe yet? ${answer.text}`);
  set(by('now'), { 'data-is': answer.is });
  set(by('to-payer'), { href: world.urls.payer });
  set(by('to-console'), { href: world.urls.operator });
}

let mark = { at: Infinity, now_ms: 0, speed: 0 }; // since when the pace is measured
let pace = null;

/** Measure the real speed of the world's time, over three seconds each. */
function measure({ now_ms, speed: times }) {
  const spent = performance.now() - mark.at;
  if (times === mark.speed && spent >= 0 && spent < 3000) return;
  pace = times === mark.speed && spent >= 0 ? (now_ms - mark.now_ms) / spent : null;
  mark = { at: performance.now(), now_ms, speed: times };
}

function speed(world) {
  measure(world);
  list(
    by('speed'),
    SPEEDS,
    String,
    (times) => make('button', { type: 'button', text: `×${times}`, 'aria-label': `${times} times as fast`, onclick: () => ask('/speed', { speed: times }) }),
    (node, times) => set(node, { 'aria-pressed': world.speed === times ? 'true' : 'false' }),
  );
  const measured = pace === null ? '' : `, ×${pace < 10 ? pace.toFixed(1) : Math.round(pace)} measured`;
  say(by('clock'), `${new Date(world.now_ms).toISOString().slice(11, 19)} in the world${measured}`);
}

let before = null;
let receivedAt = performance.now();

function show(world) {
  for (const part of parts) part(world);
  announceChanges(before, world);
  before = world;
  document.body.dataset.ready = 'true';
}

/** Announce the most important changes to screen readers. */
function announceChanges(was, is) {
  if (!was) return;
  if (was.flag.mode !== is.flag.mode || was.flag.reason !== is.flag.reason) announce(safe(is).text);
  for (const each of is.switches) {
    const old = was.switches.find(({ key }) => key === each.key);
    if (old && old.came_ms !== each.came_ms && each.came_ms !== null) announce(`${each.title}: observed after ${span(each.came_ms - each.turned_ms, true)}.`);
  }
  for (const [index, step] of is.story.entries()) if (step.is_done && !was.story[index]?.is_done) announce(`Done: ${step.title}.`);
}

// EventSource reconnects a broken stream by itself; a silent one is closed here.
function follow() {
  const stream = new EventSource('/world/stream');
  stream.addEventListener('message', ({ data }) => {
    receivedAt = performance.now();
    stopped(false);
    show(JSON.parse(data));
  });
  stream.addEventListener('error', () => {
    stopped(true, before);
    if (stream.readyState === EventSource.CLOSED) again(stream);
  });
  const watching = setInterval(() => {
    if (performance.now() - receivedAt < SILENT_MS || document.hidden) return;
    stopped(true, before);
    clearInterval(watching);
    again(stream);
  }, 1000);
  stream.addEventListener('again', () => clearInterval(watching));
}

function again(stream) {
  stream.close();
  stream.dispatchEvent(new Event('again'));
  receivedAt = performance.now();
  setTimeout(follow, 1000);
}

follow();
