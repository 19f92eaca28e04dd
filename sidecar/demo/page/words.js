// From the world's numbers to sentences: is push safe yet, why not, what happens next, what if it breaks. Pure.

export const MODES = {
  timer_polling: { short: 'Timers', brief: 'timers' },
  push_with_safety_net: { short: 'Push, with a safety net', brief: 'push + net' },
  push_only: { short: 'Push only', brief: 'push' },
};

const GATES = {
  alarm: 'No alarm',
  suspension: 'Push is not suspended',
  isolation: 'IsolationProbes are refused',
  hold: 'Nobody holds it',
  freeze: 'No freeze',
  cooldown: 'Cool-down is over',
  soak: 'Time on this rung',
  coverage: 'Payments can be judged',
  exact: 'News names its payment',
  stage: 'Judged at delivery',
  recent_payments: 'Payments lately',
  recent_round_trips: 'Round trips lately',
  recent_channel_auth: 'Channel auth lately',
  recent_user_auth: 'Payers’ auth lately',
  recent_reach: 'Payers’ reports lately',
  evidence_payments: 'Proof: payments',
  evidence_round_trips: 'Proof: round trips',
  evidence_channel_auth: 'Proof: channel auth',
  evidence_user_auth: 'Proof: payers’ auth',
  evidence_reach: 'Proof: payers’ reports',
  payers_on_rung: 'Payers served this rung',
  worst_case: 'The worst case',
  approval: 'A person approves',
};

const SAFE = {
  starting: ['Nobody knows yet.', 'The sidecar has just started and reads its journal.'],
  no_lease: ['Nobody can say: timers.', 'The sidecar has not lately proven that it can write and read its journal, so every answer of push has run out.'],
  alarm: ['No: push is failing.', 'An alarm: more payments or probes failed than reliable push would lose. Everybody has timers again.'],
  suspended: ['Not this minute.', 'Push is suspended: timers for a while. What was proven is kept.'],
  dry_run: ['A rehearsal: timers.', 'Everything is decided and recorded, and nobody is served push.'],
  no_sidecar: ['Nobody answers: timers.', 'The sidecar does not answer, and a browser that gets no answer follows the timers. Nobody had to act.'],
  policy_differs: ['Nobody can say: timers.', 'The policy in force is not that of this process.'],
};

/** Return the flag's answer to "is push safe yet?": a short word and the key of its drawing. */
export function safe({ flag }) {
  if (SAFE[flag.reason]) return { text: SAFE[flag.reason][0], drawing: drawingOf(flag), is: flag.reason === 'alarm' ? 'bad' : 'timers' };
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
    return SAFE[flag.reason][1] + (flag.detail ? ` (${flag.detail})` : '');
  }
  const payments = world.indicators.find((indicator) => indicator.name === 'payments');
  const proof = payments && proofOf(payments);
  if (flag.mode !== 'timer_polling') {
    if (proof && payments.clean_needed === 0) return `${proof} No alarm is up.`;
    return `It was proven when it climbed, and no alarm is up.${payments ? ` ${inTime(payments)}.` : ''}`;
  }
  const cooldown = closed.find((gate) => gate.name === 'cooldown');
  if (cooldown) return `It fell not long ago: ${cooldown.needs}. ${proof ?? ''}`;
  if (!proof) return 'No payment was judged yet, and nothing is taken on trust.';
  const missing = closed.filter(({ name }) => name !== 'evidence_payments').map(({ name }) => `“${gateName(name)}”`);
  return payments.clean_needed === 0 && missing.length ? `${proof} Missing: ${missing.join(', ')}.` : proof;
}

const inTime = ({ good, bad, epoch }) => `Of ${count(good + bad, 'payment')}${epoch > 1 ? ' since the last fall' : ''} ${bad ? good : 'all'} came in time`;

/** Return what a indicator's outcomes prove, as a sentence. */
function proofOf({ good, bad, epoch, target_ratio: target, lower_bound_ratio: bound, clean_needed: needed }) {
  if (good + bad === 0) return null;
  const proves = `that proves at least ${percent(bound, 1)}`;
  return `${inTime({ good, bad, epoch })}; ${proves}, and ${percent(target, 1)} is asked for${needed ? '' : ': proven'}.`;
}

/** Return what happens next, and when. */
export function next({ flag, gates, speed, now_ms: now }) {
  const inAbout = (ms) => `${span(Math.max(1000, ms - now))}${speed > 1 ? ' of the world’s time' : ''}`;
  if (flag.reason === 'no_sidecar') return 'It comes back on the same journal: with the same rung, which it serves once it sees again.';
  const shut = gates.find((gate) => !gate.passes && BACK.includes(gate.name));
  if (SAFE[flag.reason] && flag.rung > 0) {
    const held = flag.ladder[flag.rung];
    const when = shut?.expected_ms ? `In about ${inAbout(shut.expected_ms)}` : 'As soon as it may';
    return `${when}: ${named(held)} again, because that rung is kept.${shut?.needs ? ` Still needed: ${stop(shut.needs)}` : ''}`;
  }
  const rung = flag.ladder[flag.rung + 1];
  if (!rung) return 'Nothing more to climb: this is the top. The hand-written timers may be removed from the app; the flag stays, as the way back.';
  const closed = gates.filter((gate) => !gate.passes);
  const goal = named(rung);
  if (closed.length === 0) return `It climbs: ${goal}.`;
  const needs = closed.filter((gate) => gate.needs).slice(0, 2).map((gate) => gate.needs);
  const known = closed.map((gate) => gate.expected_ms).filter(Boolean);
  let when = 'Next';
  if (closed.length === 1 && closed[0].name === 'approval') when = 'When a person approves';
  else if (known.length) when = known.length === closed.length ? `In about ${inAbout(Math.max(...known))}` : `In ${inAbout(Math.max(...known))} or later`;
  const how = closed.length === 1 && closed[0].name === 'approval' ? ' (the terminal shows the command; in the story a person does it)' : '';
  return `${when}: ${goal}. Still needed: ${needs.join('; ')}${how}.`;
}

const BACK = ['alarm', 'suspension'];
const named = (rung) => `${MODES[rung.mode].short.toLowerCase()}, for ${isAll(rung) ? 'everybody' : `${percent(shareOf(rung))} of payers`}`;

/** Return what happens if it breaks: or what did, where something is broken. */
export function breaks({ flag, switches, now_ms: now }) {
  const broken = switches.filter((each) => each.is_on);
  if (broken.length) {
    const [each] = broken;
    const came = cameAfter(each);
    const then = came === null ? `Expected: ${each.expect}` : `After ${span(came, true)} it came: ${each.came || each.expect}`;
    return `“${each.title}” is on, for ${span(now - each.turned_ms)} now. ${stop(then)}`;
  }
  const back = flag.mode === 'timer_polling' ? 'Nobody relies on push now, so nobody would notice.' : 'Everybody gets timers again within seconds, without anyone acting; so they do if the sidecar itself dies.';
  return back;
}

/** Return what the sidecar says now. */
export const saying = ({ flag }) => (flag.reason === 'no_sidecar' ? 'says nothing: timers' : `says: ${MODES[flag.mode].short}`);

/** Return a gate's name for people. */
export const gateName = (name) => GATES[name] ?? name.replaceAll('_', ' ');

/** Return how long after it was turned a switch's effect came; null: it has not. */
export function cameAfter({ turned_ms: turned, came_ms: came }) {
  return turned !== null && came !== null && came >= turned ? came - turned : null;
}

/**
 * Return how far a gate is filled, from 0 to 1.
 *
 * @param {{name: string, value: string, target: string, holds: boolean}} gate
 * @param {any[]} indicators
 */
export function filled(gate, indicators) {
  if (gate.passes) return 1;
  if (gate.name === 'soak') return part(milliseconds(gate.value), milliseconds(gate.target));
  if (gate.name.startsWith('evidence_')) {
    const indicator = indicators.find(({ name }) => name === gate.name.slice('evidence_'.length));
    return indicator && !indicator.awaits_epoch ? part(indicator.good, indicator.good + indicator.clean_needed) : 0;
  }
  if (gate.name.startsWith('recent_')) return part(100 - number(gate.value), 50);
  if (gate.name === 'payers_on_rung') {
    const counts = [...gate.value.matchAll(/\d+/g)].map(Number);
    return part(Math.min(...counts), number(gate.target));
  }
  if (gate.name === 'coverage') {
    const [judged, total] = [...gate.value.matchAll(/\d+/g)].map(Number);
    return part(100 * judged, total * number(gate.target));
  }
  if (gate.name === 'worst_case') return part(number(gate.value), number(gate.target));
  return 0;
}

const part = (value, whole) => (whole > 0 ? Math.min(0.99, Math.max(0, value / whole)) : 0);
const number = (text) => Number(/[\d.]+/.exec(text)?.[0] ?? 0);
const UNITS = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000 };
const milliseconds = (text) => [...text.matchAll(/(\d+) (d|h|min|s)\b/g)].reduce((sum, [, count, unit]) => sum + count * UNITS[unit], 0);

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
export const isAll = (rung) => shareOf(rung) >= 1;
export const count = (number, one) => `${number.toLocaleString('en')} ${one}${number === 1 ? '' : 's'}`;
const stop = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
