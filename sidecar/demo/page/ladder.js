// The ladder with its rungs, and the progress of the next rung's gates.

import { drawing, list, make, prose, say, set } from './dom.js';
import { ICONS } from './icons.js';
import { MODES } from './wording.js';
import { filled, isAll, percent, shareOf, span } from './words.js';

const TIMED = ['alarm', 'cooldown', 'freeze', 'soak', 'suspension']; // their needs name the remaining time

export function ladder(rungs, gates, hint) {
  return function show(world) {
    const { flag } = world;
    const all = flag.ladder.map((rung, index) => ({ ...rung, index }));
    list(rungs, all, ({ index }) => index, beginRung, (node, rung) => {
      const is = rung.index === flag.rung ? 'current' : rung.index < flag.rung ? 'climbed' : 'ahead';
      set(node, { 'data-is': is, 'aria-current': is === 'current' ? 'step' : null });
      say(node.querySelector('.whom'), isAll(rung) ? 'everybody' : `${percent(shareOf(rung))} of payers`);
      const isServed = is === 'current' && flag.mode !== rung.mode;
      say(node.querySelector('.here'), isServed ? 'current, but timers are served' : is === 'current' ? 'current' : rung.approval_required ? 'a person approves' : '');
    });
    const closed = world.gates.filter((gate) => !gate.passes).length;
    const to = flag.ladder[flag.rung + 1];
    const open = `${world.gates.length - closed} of ${world.gates.length} pass`;
    say(hint, hintOf(to, world.gates.length, open));
    list(gates, world.gates, ({ name }) => name, beginGate, (node, gate) => fill(node, gate, world));
  };
}

function hintOf(to, count, open) {
  if (!to) return 'This is the last rung.';
  return count ? `All must pass before “${MODES[to.mode].label}”: ${open}.` : 'The sidecar does not answer, so the gates are unknown.';
}

function beginRung({ mode }) {
  return make(
    'li',
    { class: 'rung', 'data-mode': mode },
    drawing(ICONS[mode]),
    make('strong', { text: MODES[mode].label }),
    make('span', { class: 'whom' }),
    make('em', { class: 'here' }),
  );
}

function beginGate({ label }) {
  return make(
    'li',
    { class: 'gate' },
    drawing(ICONS.ok),
    make('span', { class: 'what', text: label }),
    make('span', { class: 'bar', 'aria-hidden': 'true' }, make('i')),
    make('span', { class: 'value' }),
    make('span', { class: 'needs' }),
  );
}

function fill(node, gate, { now_ms: now }) {
  const share = filled(gate);
  if (node.dataset.passes !== String(gate.passes)) node.firstElementChild.replaceWith(drawing(gate.passes ? ICONS.ok : ICONS.open));
  set(node, { 'data-passes': String(gate.passes) });
  node.querySelector('i').style.setProperty('--filled', share.toFixed(3));
  const value = gate.name === 'alarm' && gate.value !== 'none' ? `alarm: ${gate.value}` : gate.value;
  say(node.querySelector('.value'), gate.passes ? value : `${value} → ${gate.target}`);
  const when = gate.expected_ms && !TIMED.includes(gate.name) ? `, in about ${span(Math.max(1000, gate.expected_ms - now))}` : '';
  prose(node.querySelector('.needs'), gate.passes ? '' : `needs ${gate.needs}${when}`);
}
