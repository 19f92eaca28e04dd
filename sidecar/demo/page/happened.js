// The timeline of a payment in this page: each refetch and its result, the channel, the push, and how long "Pay now"
// was shown. Seconds are on this browser's clock, from the payment (or the return) on.

import { list, make, say } from './dom.js';
import { clearedBy } from './payers.js';
import { MODES, REASONS } from './wording.js';
import { nameOf, span } from './words.js';

const EVENTS = {
  connected: 'connected to Reverb',
  subscribed: 'subscribed to the channel',
  pushed: 'push received: “bookings changed”',
  lost: 'the connection to Reverb was lost',
};
const CHANNEL = { connected: 'connected, not subscribed yet', subscribed: 'subscribed', pushed: 'subscribed', lost: 'not connected' };
const LINE_MIN_MS = 6000;
const SAFETY_NET_MS = 5000;
const SOON_MS = 40; // a request that follows a push begins at once

export class Happened {
  constructor(places) {
    this.places = places;
    this.mode = null; // what the client follows while a payment is pending
    this.refused = null;
    this.forgets();
    say(places.channel, 'not connected yet');
    setInterval(() => this.at !== null && this.cleared === null && this.show(), 250);
  }

  forgets() {
    this.at = null;
    this.marks = [];
    this.requests = [];
    this.pushes = [];
    this.movedAt = -Infinity;
    this.joinedAt = -Infinity;
    this.cleared = null;
    this.report = null;
    this.show();
  }

  begins(text) {
    this.forgets();
    this.at = performance.now();
    this.mark('paid', text);
  }

  /** Whether a payment is shown. */
  get isOn() {
    return this.at !== null;
  }

  after() {
    return performance.now() - this.at;
  }

  mark(kind, text, ms = this.after()) {
    if (this.at === null) return null;
    const mark = { kind, text, ms, key: this.marks.length };
    this.marks.push(mark);
    this.show();
    return mark;
  }

  /** A refetch begins. */
  asks() {
    const ms = this.at === null ? 0 : this.after();
    const isPushed = this.pushes.some((at) => ms - at >= 0 && ms - at < SOON_MS);
    const request = { ms, isPushed, mark: this.mark('ask', 'refetch: is it paid?') };
    if (this.at !== null) this.requests.push(request);
    return request;
  }

  found(request, isPaid) {
    if (request.mark) request.mark.text = `refetch${request.isPushed ? ' because of the push' : ''}: ${isPaid ? 'paid' : 'not paid yet'}`;
    if (isPaid && this.cleared === null && this.at !== null) {
      this.cleared = this.after();
      this.clearing = request;
      this.clearedIn = this.mode;
      this.mark('cleared', '“Pay now” cleared');
    }
    this.show();
  }

  failed(request) {
    if (request.mark) request.mark.text = 'refetch: no answer';
    this.show();
  }

  /** The source reports an event. */
  received(what) {
    const [name, status] = what.split(' ');
    const refused = status ? `refused: ${status}` : 'refused: an answer that this page may not read';
    if (name !== 'pushed') this.refused = name === 'refused' ? refused : null;
    say(this.places.channel, name === 'refused' ? refused : CHANNEL[name]);
    if (this.at === null) return;
    if (name === 'pushed') this.pushes.push(this.after());
    if (name === 'subscribed') this.joinedAt = this.after();
    this.mark(name, name === 'refused' ? `the channel was ${refused}` : EVENTS[name]);
  }

  /** The client's state changed. */
  changed({ mode, isPush, pending }) {
    if (pending && mode !== this.mode && this.at !== null) {
      const why = !isPush && this.refused ? `, because the channel is ${this.refused}` : '';
      if (this.mode !== null && !isPush) this.movedAt = this.after();
      this.mark(isPush || this.mode === null ? 'follows' : 'moved', `follows ${nameOf(mode)}${why}`);
    }
    this.mode = pending ? mode : null;
  }

  /** Show the flag's answer before the client reads it. */
  async watched(url, asking) {
    const isFlag = String(url).includes('/flags/');
    try {
      const answer = await asking;
      if (isFlag && answer.ok && answer.status === 200) {
        const { mode, reason, valid_for_s: seconds } = await answer.clone().json();
        say(this.places.flag, `${MODES[mode].label} (${(REASONS[reason]?.label ?? reason).toLowerCase()}), valid for ${seconds} s`);
      } else if (isFlag && !answer.ok) {
        say(this.places.flag, `error ${answer.status}: timers`);
      }
      return answer;
    } catch (error) {
      if (isFlag) say(this.places.flag, 'no answer: timers');
      throw error;
    }
  }

  reported(report) {
    this.report = report;
    this.show();
  }

  show() {
    const { summary, line, marks } = this.places;
    line.hidden = this.at === null;
    if (this.at !== null || this.marks.length === 0) list(marks, this.marks, ({ key, kind }) => `${key}${kind}`, begin, (node, mark) => say(node.lastChild, mark.text));
    if (this.at === null) return;
    say(summary, this.sentence());
    const whole = Math.max(LINE_MIN_MS, (this.cleared ?? this.after()) * 1.1, ...this.marks.map(({ ms }) => ms * 1.05));
    list(line, this.marks, ({ key }) => key, ({ kind, text }) => make('i', { 'data-kind': kind, title: text }), (node, { ms }) => node.style.setProperty('--at', (ms / whole).toFixed(4)));
    line.style.setProperty('--gone', ((this.cleared ?? this.after()) / whole).toFixed(4));
  }

  /** Return a guess of what cleared it, until the client's report is there. */
  guess() {
    if (this.clearing === this.requests[0]) return 'by the first request';
    if (Math.abs(this.clearing.ms - this.movedAt) < SOON_MS) return clearedBy('moved');
    if (Math.abs(this.clearing.ms - this.joinedAt) < SOON_MS) return clearedBy('subscribe');
    if (this.clearedIn === 'timer_polling') return clearedBy('timer');
    return this.clearing.ms >= SAFETY_NET_MS ? clearedBy('safety_net') : 'by a refetch';
  }

  sentence() {
    const asked = this.requests.length;
    const requests = `${asked} request${asked === 1 ? '' : 's'}`;
    if (this.cleared === null) return `“Pay now” is still shown after ${span(this.after(), true)}; ${requests} so far.`;
    const cause = this.report?.cleared_by;
    const how = cause ? clearedBy(cause) : this.clearing.isPushed ? 'by a push' : this.guess();
    const push = this.pushes.length ? `The push arrived after ${span(this.pushes[0], true)}.` : 'No push arrived.';
    return `“Pay now” was cleared after ${span(this.cleared, true)}, ${how}. ${requests} so far; timers alone would have made 3. ${push}`;
  }
}

function begin({ ms, kind, text }) {
  return make('li', { 'data-kind': kind }, make('time', { text: span(ms, true) }), make('span', { text }));
}
