// The picture of the flow: Stripe, the app, Reverb and a browser in a row, the sidecar beside them, and what moves between.

import { drawing, list, make, say, set } from './dom.js';
import { ICONS } from './icons.js';
import { saying } from './words.js';

const NODES = [
  { key: 'stripe', name: 'Stripe', does: 'takes the payment', drawn: 'card' },
  { key: 'app', name: 'Booking app', does: 'marks it paid', drawn: 'app' },
  { key: 'reverb', name: 'Reverb', does: 'pushes it on', drawn: 'reverb' },
  { key: 'browser', name: 'Payers’ browsers', does: '“Pay now” goes away', drawn: 'browser' },
];
const EDGES = [
  { key: 'stripe-app', text: 'webhook', side: 'on' },
  { key: 'app-reverb', text: 'broadcast', side: 'on' },
  { key: 'reverb-browser', text: 'push', side: 'on' },
  { key: 'stripe-sidecar', text: 'webhook', side: 'down' },
  { key: 'app-sidecar', text: 'acks', side: 'down' },
  { key: 'reverb-sidecar', text: 'canaries, auth probes', side: 'down' },
  { key: 'sidecar-browser', text: 'the flag', side: 'up' },
];
const MOVES = {
  stripe: ['stripe-app', 'stripe-sidecar'],
  app: ['app-reverb', 'app-sidecar'],
  reverb: ['reverb-browser', 'reverb-sidecar'],
  browser: ['browser-app'],
  sidecar: ['sidecar-browser'],
};
const WHERE = {
  auth_refused: 'app',
  auth_refused_fifth: 'app',
  wrong_secret: 'app',
  slow_queue: 'app',
  broadcasts_lost: 'reverb',
  reverb_frozen: 'reverb',
  reverb_gone: 'reverb',
  node_deaf: 'reverb',
  webhooks_late: 'stripe',
  sidecar_blind: 'sidecar',
  sidecar_killed: 'sidecar',
};
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** Build the picture, and return the function that shows a world in it. */
export function flow(parent) {
  for (const node of NODES) parent.append(box(node));
  for (const edge of EDGES) parent.append(arrow(edge));
  parent.append(make('div', { class: 'edge back', 'data-edge': 'browser-app' }, make('span', { class: 'caption' }), make('i', { class: 'dot' })));
  const sidecar = box({ key: 'sidecar', name: 'The sidecar', does: 'measures, decides', drawn: 'sidecar' });
  sidecar.append(make('p', { class: 'decides' }));
  parent.append(sidecar);
  let seen = new Set();

  return function show(world) {
    for (const { key } of [...NODES, { key: 'sidecar' }]) {
      const troubles = world.switches.filter((each) => each.is_on && WHERE[each.key] === key);
      const node = parent.querySelector(`[data-node="${key}"]`);
      set(node, { 'data-is': troubles.length ? 'trouble' : 'fine' });
      list(node.querySelector('.troubles'), troubles, (each) => each.key, trouble, (item, each) => say(item.lastChild, each.title));
    }
    const { flag } = world;
    set(parent, { 'data-mode': flag.mode });
    say(parent.querySelector('[data-edge="browser-app"] .caption'), flag.mode === 'timer_polling' ? 'refetches at 0, 2 and 5 s' : 'refetches once, then on a push');
    say(parent.querySelector('.decides'), saying(world));
    const keys = world.events.map(keyOf);
    if (seen.size && !still.matches && !document.hidden) {
      for (const [index, event] of world.events.entries()) if (!seen.has(keys[index])) pulse(parent, event);
    }
    seen = new Set(keys);
  };
}

export const keyOf = ({ at_ms: at, kind, who, text }) => `${at} ${kind} ${who} ${text}`;

const trouble = () => make('li', {}, drawing(ICONS.trouble), make('span'));

function box({ key, name, does, drawn }) {
  return make(
    'div',
    { class: 'node', 'data-node': key },
    drawing(ICONS[drawn]),
    make('div', { class: 'names' }, make('strong', { text: name }), make('span', { class: 'does', text: does })),
    make('ul', { class: 'troubles' }),
  );
}

function arrow({ key, text, side }) {
  return make('div', { class: `edge ${side}`, 'data-edge': key }, make('span', { class: 'caption', text }), make('i', { class: 'dot' }));
}

/** Animate the edges of a payment's path; a running animation continues. */
function pulse(parent, { kind }) {
  for (const key of MOVES[kind] ?? []) {
    const dot = parent.querySelector(`[data-edge="${key}"] .dot`);
    if (!dot || dot.classList.contains('moves')) continue;
    dot.classList.add('moves');
    dot.addEventListener('animationend', () => dot.classList.remove('moves'), { once: true });
  }
}
