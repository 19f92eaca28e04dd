// The story: its steps, their progress, and the expected effect of the present one.

import { drawing, list, make, prose, say, set } from './dom.js';
import { ICONS } from './icons.js';

export function story(steps, button, hint, start) {
  button.addEventListener('click', start);
  return function show(world) {
    const done = world.story.filter((step) => step.is_done).length;
    const isRunning = world.is_story;
    set(button, { 'aria-pressed': isRunning ? 'true' : 'false', disabled: isRunning });
    say(button, isRunning ? 'Running' : done ? 'Start again' : 'Start');
    say(hint, hintOf(world, done, isRunning));
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

function hintOf({ story: steps, story_failure: failure }, done, isRunning) {
  if (done === steps.length) return 'Completed. Break something yourself, or start it again.';
  if (failure) return `Not completed: ${failure}. A switch may have been turned meanwhile; start it again.`;
  if (isRunning) return `${done} of ${steps.length} steps are done.`;
  return 'It runs for a few minutes: it turns the switches below, and shows what to look at.';
}

function begin() {
  return make(
    'li',
    { class: 'step' },
    drawing(ICONS.open),
    make('div', {}, make('strong'), make('span', { class: 'quiet' }), make('p', { class: 'text' }), make('p', { class: 'expect' })),
  );
}
