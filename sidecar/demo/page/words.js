// From the world's numbers to sentences: is push safe yet, why not, what happens next, what if it breaks. Pure.

import { MODES, REASONS } from './wording.js';

const SAFE = {
  starting: 'Not known yet.',
  no_lease: 'Not known: timers.',
  alarm: 'No: push is failing.',
  suspended: 'Not this minute.',
  dry_run: 'A dry run: timers.',
  no_sidecar: 'No answer: timers.',
  policy_differs: 'Not known: timers.',
};
const NO_SIDECAR = 'The sidecar does not answer, and a browser without an answer follows the timers. No action was needed.';

/** Return the flag's answer to "is push safe yet?": a short word and the key of its drawing. */
export function safe({ flag }) {
  if (SAFE[flag.reason]) return { text: SAFE[flag.reason], drawing: drawingOf(flag), is: flag.reason === 'alarm' ? 'bad' : 'timers' };
  if (flag.mode === 'push_only') return { text: 'Yes: push alone.', drawing: flag.mode, is: 'push' };
  if (flag.mode === 'push_with_safety_net') {
    const whom = isAll(flag) ? 'for everybody' : `for ${percent(shareOf(flag))} of payers`;
    return { text: `Yes, with a safety net, ${whom}.`, drawing: flag.mode, is: 'push' };
  }
  return { text: 'Not yet: timers.', drawing: 'timer_polling', is: 'timers' };
}

const drawingOf = ({ reason, mode }) => ({ alarm: 'alarm', suspended: 'suspended', no_lease: 'blind', no_sidecar: 'blind' })[reason] ?? mode;

/** Return why it is safe, or why not. */
export function why(world) {
  const { flag, gates } = world;
  const closed = gates.filter((gate) => !gate.passes);
  if (SAFE[flag.reason]) {
    return `${REASONS[flag.reason]?.description ?? NO_SIDECAR} ${flag.detail}`.trim();
  }
  const payments = world.indicators.find((indicator) => indicator.name === 'payments');
  const proof = payments && proofOf(payments);
  if (flag.mode !== 'timer_polling') {
    if (proof && payments.clean_needed === 0) return `${proof} There is no alarm.`;
    return `It was proven at the climb, and there is no alarm.${payments ? ` ${inTime(payments)}.` : ''}`;
  }
  const cooldown = closed.find((gate) => gate.name === 'cooldown');
  if (cooldown) return `It fell recently: ${cooldown.needs}. ${proof ?? ''}`;
  if (!proof) return 'No payment was judged yet, so there is no proof.';
  const missing = closed.filter(({ name }) => name !== 'evidence_payments').map(({ label }) => `“${label}”`);
  return payments.clean_needed === 0 && missing.length ? `${proof} Missing: ${missing.join(', ')}.` : proof;
}

const inTime = ({ good, bad, epoch }) => `${bad ? `${good} of` : 'All'} ${count(good + bad, 'payment')}${epoch > 1 ? ' since the last fall' : ''} were on time`;

/** Return what an indicator's outcomes prove, as a sentence. */
function proofOf({ good, bad, epoch, target_ratio: target, lower_bound_ratio: bound, clean_needed: needed }) {
  if (good + bad === 0) return null;
  const proves = `which proves at least ${percent(bound, 1)}`;
  return `${inTime({ good, bad, epoch })}, ${proves}, and the target is ${percent(target, 1)}${needed ? '' : ': proven'}.`;
}

/** Return what happens next, and when. */
export function next({ flag, gates, speed, now_ms: now }) {
  const inAbout = (ms) => `${span(Math.max(1000, ms - now))}${speed > 1 ? ' of the world’s time' : ''}`;
  if (flag.reason === 'no_sidecar') return 'It restarts on the same journal, with the same rung, and serves it after clean probes.';
  const shut = gates.find((gate) => !gate.passes && BACK.includes(gate.name));
  if (SAFE[flag.reason] && flag.rung > 0) {
    const current = flag.ladder[flag.rung];
    const when = shut?.expected_ms ? `In about ${inAbout(shut.expected_ms)}` : 'As soon as possible';
    if (flag.reason === 'alarm') return `${when} the alarm is attributed: to Reverb, and the rung is kept, or to push, and the flag falls.`;
    return `${when}: ${named(current)} again, the rung is kept.${shut?.needs ? ` Still needed: ${stop(shut.needs)}` : ''}`;
  }
  const rung = flag.ladder[flag.rung + 1];
  if (!rung) return 'This is the last rung. The hand-written timers may be removed from the app; the flag stays as the fallback.';
  const closed = gates.filter((gate) => !gate.passes);
  const goal = named(rung);
  if (closed.length === 0) return `It climbs: ${goal}.`;
  const latest = (gate) => gate.expected_ms ?? Infinity; // what has no estimate is said first: it is what takes longest
  const needs = closed.filter((gate) => gate.needs).sort((a, b) => Number(latest(a) < latest(b)) - Number(latest(a) > latest(b))).slice(0, 2).map((gate) => gate.needs);
  const known = closed.map((gate) => gate.expected_ms).filter(Boolean);
  let when = 'Next';
  if (closed.length === 1 && closed[0].name === 'approval') when = 'When a person approves';
  else if (known.length) when = known.length === closed.length ? `In about ${inAbout(Math.max(...known))}` : `At the earliest in ${inAbout(Math.max(...known))}, the rest has no estimate yet`;
  const how = closed.length === 1 && closed[0].name === 'approval' ? ' (the terminal shows the command; in the story a person does it)' : '';
  return `${when}: ${goal}. Still needed: ${needs.join('; ')}${how}.`;
}

const BACK = ['alarm', 'suspension'];
const named = (rung) => `${nameOf(rung.mode)}, for ${isAll(rung) ? 'everybody' : `${percent(shareOf(rung))} of payers`}`;

/** Return what happens if it breaks, or the effect of the switch that is on. */
export function breaks({ flag, switches, now_ms: now }) {
  const broken = switches.filter((each) => each.is_on);
  if (broken.length) {
    const [each] = broken;
    const came = cameAfter(each);
    const then = came === null ? `Expected: ${each.expect}` : `Observed after ${span(came, true)}: ${each.came || each.expect}`;
    return `“${each.title}” is on, for ${span(now - each.turned_ms)} now. ${stop(then)}`;
  }
  if (flag.mode === 'timer_polling') return 'No payer relies on push now, so no payer is affected.';
  return 'Everybody gets timers again within seconds, without manual action; also if the sidecar itself stops.';
}

/** Return the sidecar's present answer. */
export const saying = ({ flag }) => (flag.reason === 'no_sidecar' ? 'no answer: timers' : `answer: ${MODES[flag.mode].label}`);

/** Return the delay from turning a switch to its observed effect; null: not observed. */
export function cameAfter({ turned_ms: turned, came_ms: came }) {
  return turned !== null && came !== null && came >= turned ? came - turned : null;
}

/** Return a gate's progress, from 0 to 1. */
export const filled = (gate) => (gate.passes ? 1 : (gate.progress_ratio ?? 0));

/** Return a span for people: `12 s`, `2 min`; `isExact`: `3.2 s`. */
export function span(ms, isExact = false) {
  if (isExact && ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** Return a ratio as per cent. */
export const percent = (ratio, digits = 0) => `${(100 * ratio).toFixed(digits).replace(/\.0+$/, '')} %`;
export const shareOf = ({ share_ppm: ppm }) => ppm / 1_000_000;
/** Return a mode's label within a sentence. */
export const nameOf = (mode) => MODES[mode].label.toLowerCase();
export const isAll = (rung) => shareOf(rung) >= 1;
export const count = (number, one) => `${number.toLocaleString('en')} ${one}${number === 1 ? '' : 's'}`;
const stop = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
