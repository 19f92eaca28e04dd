// The switches: what each breaks, its expected effect, and whether it was observed.

import { drawing, list, make, prose, say, set } from './dom.js';
import { ICONS } from './icons.js';
import { cameAfter, span } from './words.js';

export function switches(parent, turn) {
  return function show(world) {
    const begin = (each) => beginSwitch(each, () => turn(each.key, parent.querySelector(`#switch-${each.key}`).getAttribute('aria-pressed') !== 'true'));
    list(parent, world.switches, ({ key }) => key, begin, (node, each) => {
      set(node, { 'data-on': String(each.is_on) });
      set(node.querySelector('button'), { 'aria-pressed': String(each.is_on) });
      const came = cameAfter(each);
      const isTurned = each.turned_ms !== null && (each.is_on || came !== null || world.now_ms - each.turned_ms < 120_000);
      set(node.querySelector('.came'), { 'data-came': String(came !== null) });
      if (node.dataset.came !== String(came)) {
        node.querySelector('.came svg').replaceWith(drawing(came === null ? ICONS.open : ICONS.ok));
        set(node, { 'data-came': String(came) });
      }
      node.querySelector('.came').hidden = !isTurned;
      say(node.querySelector('.came span'), isTurned ? cameText(each, came, world.now_ms) : '');
    });
  };
}

function cameText({ is_on: isOn, turned_ms: turned, came: what }, came, now) {
  if (came !== null) return `After ${span(came, true)}: ${what || 'observed'}`;
  return isOn ? `Turned on ${span(now - turned)} ago: not observed yet` : 'Turned off before its effect';
}

function paragraph(name, text) {
  const node = make('p', { class: name });
  prose(node, text);
  return node;
}

function beginSwitch({ key, title, text, expect }, turn) {
  return make(
    'li',
    { class: 'turn' },
    make(
      'button',
      { type: 'button', id: `switch-${key}`, class: 'toggle', 'aria-pressed': 'false', 'aria-describedby': `about-${key}`, onclick: turn },
      make('span', { class: 'lever', 'aria-hidden': 'true' }),
      make('span', { text: title }),
    ),
    make('div', { class: 'about', id: `about-${key}` }, paragraph('text', text), paragraph('expect', expect)),
    make('p', { class: 'came', hidden: true }, drawing(ICONS.open), make('span')),
  );
}
