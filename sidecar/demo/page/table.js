// The comparison: timers beside push, as measured, each figure with its basis.

import { list, make, prose, say } from './dom.js';
import { count, percent } from './words.js';

export function table(body, rescued) {
  return function show({ comparison }) {
    if (!comparison) return; // the sidecar does not answer: the last values stay
    const { timers, push } = comparison;
    const rows = [
      { name: 'reliability', cells: [reliability(timers), reliability(push)] },
      { name: 'proven', cells: [{ value: '–', basis: 'no proof required' }, proven(push)] },
      { name: 'requests per payment', cells: [requests(timers), requests(push)] },
    ];
    list(body, rows, ({ name }) => name, begin, (row, { cells }) => {
      for (const [index, { value, basis }] of cells.entries()) {
        say(row.children[index + 1].children[0], value);
        prose(row.children[index + 1].children[1], basis);
      }
    });
    const { rescued_by_poll: saved } = comparison;
    say(rescued, saved ? `${count(saved, 'payment')} would have kept “Pay now” without polling: a poll cleared it, and no push arrived.` : 'No payment needed a poll so far.');
  };
}

function begin({ name }) {
  const cell = () => make('td', {}, make('strong'), make('small'));
  return make('tr', {}, make('th', { scope: 'row', text: name }), cell(), cell());
}

function reliability({ reliability_ratio: ratio, worked, judged, reliability_basis: basis }) {
  if (ratio === null) return { value: 'not measured yet', basis };
  return { value: percent(ratio, 1), basis: `${worked} of ${judged}: ${basis}` };
}

function proven({ lower_bound_ratio: bound }) {
  return bound === null ? { value: 'nothing yet', basis: '' } : { value: `at least ${percent(bound, 1)}`, basis: 'at the remaining part of the false promotion risk' };
}

const requests = ({ requests_per_payment: each, requests_basis: basis }) => ({ value: each.toFixed(2).replace(/\.?0+$/, ''), basis });
