// What happens, newest first.

import { list, make, prose } from './dom.js';
import { keyOf } from './flow.js';

const WHO = { stripe: 'Stripe', app: 'app', reverb: 'Reverb', browser: 'browser', sidecar: 'sidecar', person: 'person', switch: 'switch' };

export function events(parent) {
  return function show(world) {
    const seen = new Map();
    const newest = world.events
      .map((event) => {
        const key = keyOf(event);
        seen.set(key, (seen.get(key) ?? 0) + 1);
        return { ...event, key: `${key} ${seen.get(key)}` };
      })
      .reverse();
    list(parent, newest, ({ key }) => key, begin, () => {});
  };
}

function begin({ at_ms: at, kind, who, text, payment }) {
  const what = make('span', { class: 'what' });
  prose(what, who && who.toLowerCase() !== kind ? `${who}: ${text}` : text);
  const item = make(
    'li',
    { 'data-kind': kind },
    make('time', { text: new Date(at).toISOString().slice(11, 21) }),
    make('span', { class: 'kind', text: WHO[kind] ?? kind }),
    what,
  );
  if (payment) item.append(make('code', { text: payment.replace('pi_demo_', '') }));
  return item;
}
