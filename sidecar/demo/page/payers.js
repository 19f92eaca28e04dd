// The payers: small dashboards with the time until "Pay now" was cleared, and what cleared it.

import { drawing, list, make, say, set } from './dom.js';
import { ICONS } from './icons.js';
import { nameOf, span } from './words.js';

const CLEARED = {
  first: 'by the first request',
  push: 'by a push',
  subscribe: 'by the refetch on subscription',
  timer: 'by a timer',
  safety_net: 'by the safety net',
  return: 'by the refetch on return',
  moved: 'by the refetch when the flag moved or the channel was lost',
  lease: 'by the refetch at the end of the lease',
  last: 'by the last request, at 30 s',
};

export const clearedBy = (cause) => CLEARED[cause] ?? `by ${cause}`;

export function payers(parent) {
  return function show(world) {
    const newest = [...world.payers].sort((a, b) => b.paid_ms - a.paid_ms);
    document.getElementById('no-payers').hidden = newest.length > 0;
    list(parent, newest, ({ payment }) => payment, begin, (node, payer) => {
      const { cleared_ms: cleared, paid_ms: paid } = payer;
      const isCleared = cleared !== null;
      const waits = world.now_ms - paid;
      set(node, { 'data-visitor': payer.is_visitor, 'data-is': isCleared ? 'cleared' : waits > 5000 ? 'late' : 'waits' });
      if (node.dataset.drawn !== String(isCleared)) {
        node.querySelector('.badge').replaceChildren(...(isCleared ? [drawing(ICONS.ok), 'Paid'] : ['Pay now']));
        set(node, { 'data-drawn': String(isCleared) });
      }
      say(node.querySelector('.how'), isCleared ? `${span(cleared - paid, true)}, ${clearedBy(payer.cleared_by)}` : `waits ${span(Math.max(0, waits), true)}`);
      say(node.querySelector('.flow-of'), `${payer.flow === 'redirect' ? 'back from Stripe' : 'in the page'}, ${nameOf(payer.mode)}`);
    });
  };
}

function begin({ user_id: user, is_visitor: isVisitor }) {
  return make(
    'li',
    { class: 'dashboard' },
    make('strong', { text: isVisitor ? 'You' : `Payer ${user}` }),
    make('span', { class: 'badge' }),
    make('span', { class: 'flow-of' }),
    make('span', { class: 'how' }),
  );
}
