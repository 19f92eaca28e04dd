// The story: its steps, which are done, which is now, and what to expect of it.

import { drawing, list, make, prose, say, set } from './dom.js';
import { ICONS } from './icons.js';

export function story(steps, button, hint, tell) {
  button.addEventListener('click', tell);
  return function show(world) {
    const done = world.story.filter((step) => step.is_done).length;
    const isTold = world.is_story;
    set(button, { 'aria-pressed': isTold ? 'true' : 'false', disabled: isTold });
    say(button, isTold ? 'Being told' : done ? 'Tell it again' : 'Tell it');
    say(hint, hintOf(world, done, isTold));
    list(steps, world.story, ({ key }) => key, begin, (node, step) => {
      const is = step.is_done ? 'done' : step.is_current ? 'now' : 'ahead';
      if (node.dataset.is !== is) node.querySelector('svg').replaceWith(drawing(is === 'done' ? ICONS.ok : ICONS.open));
      set(node, { 'data-is': is, 'aria-current': is === 'now' ? 'step' : null });
      say(node.querySelector('strong'), step.title);
      prose(node.querySelector('.text'), is === 'now' ? step.text : '');
      prose(node.querySelector('.expect'), is === 'now' ? step.expect : '');
      say(node.querySelector('.quiet'), is === 'done' ? 'done' : '');
    });
  };
}

function hintOf({ story: steps, story_failure: failure }, done, isTold) {
  if (done === steps.length) return 'Told to its end. Break something yourself, or let it be told again.';
  if (failure) return `It came to no end. ${failure}. Perhaps a switch was turned meanwhile; let it be told again.`;
  if (isTold) return `${done} of ${steps.length} steps are done.`;
  return 'By itself, in a few minutes: it turns the switches below, and says what to look at.';
}

function begin() {
  return make(
    'li',
    { class: 'step' },
    drawing(ICONS.open),
    make('div', {}, make('strong'), make('span', { class: 'quiet' }), make('p', { class: 'text' }), make('p', { class: 'expect' })),
  );
}
