// The ladder with its rungs, and the gates of the next one filling up.

import { drawing, list, make, prose, say, set } from './dom.js';
import { ICONS } from './icons.js';
import { filled, gateName, isAll, MODES, percent, shareOf, span } from './words.js';

export function ladder(rungs, gates, hint) {
  return function show(world) {
    const { flag } = world;
    const all = flag.ladder.map((rung, index) => ({ ...rung, index }));
    list(rungs, all, ({ index }) => index, beginRung, (node, rung) => {
      const is = rung.index === flag.rung ? 'held' : rung.index < flag.rung ? 'climbed' : 'ahead';
      set(node, { 'data-is': is, 'aria-current': is === 'held' ? 'step' : null });
      say(node.querySelector('.whom'), isAll(rung) ? 'everybody' : `${percent(shareOf(rung))} of payers`);
      const isServed = is === 'held' && flag.mode !== rung.mode;
      say(node.querySelector('.here'), isServed ? 'held, but timers are served' : is === 'held' ? 'here' : rung.approval_required ? 'a person approves' : '');
    });
    const closed = world.gates.filter((gate) => !gate.passes).length;
    const to = flag.ladder[flag.rung + 1];
    const open = `${world.gates.length - closed} of ${world.gates.length} hold`;
    say(hint, hintOf(to, world.gates.length, open));
    list(gates, world.gates, ({ name }) => name, beginGate, (node, gate) => fill(node, gate, world));
  };
}

function hintOf(to, count, open) {
  if (!to) return 'The top is reached: there is nothing more to climb.';
  return count ? `All must hold before “${MODES[to.mode].short}”: ${open}.` : 'The sidecar does not answer, so nobody knows.';
}

function beginRung({ mode }) {
  return make(
    'li',
    { class: 'rung', 'data-mode': mode },
    drawing(ICONS[mode]),
    make('strong', { text: MODES[mode].short }),
    make('span', { class: 'whom' }),
    make('em', { class: 'here' }),
  );
}

function beginGate({ name }) {
  return make(
    'li',
    { class: 'gate' },
    drawing(ICONS.ok),
    make('span', { class: 'what', text: gateName(name) }),
    make('span', { class: 'bar', 'aria-hidden': 'true' }, make('i')),
    make('span', { class: 'value' }),
    make('span', { class: 'needs' }),
  );
}

function fill(node, gate, { indicators, now_ms: now }) {
  const share = filled(gate, indicators);
  if (node.dataset.passes !== String(gate.passes)) node.firstElementChild.replaceWith(drawing(gate.passes ? ICONS.ok : ICONS.open));
  set(node, { 'data-holds': String(gate.passes) });
  node.querySelector('i').style.setProperty('--filled', share.toFixed(3));
  const value = gate.name === 'alarm' && gate.value !== 'none' ? `alarm: ${gate.value}` : gate.value;
  say(node.querySelector('.value'), gate.passes ? value : `${value} → ${gate.target}`);
  const isTimed = /^\d+ (s|min|h|d)\b/.test(gate.needs); // it says already how long
  const when = gate.expected_ms && !isTimed ? `, in about ${span(Math.max(1000, gate.expected_ms - now))}` : '';
  prose(node.querySelector('.needs'), gate.passes ? '' : `needs ${gate.needs}${when}`);
}
