// A payer's dashboard with the real client, as an app would write it; and beside it, what happened after a payment.

import { createPaymentRefresh } from '/payment-refresh.js';
import { list, make, say } from './dom.js';
import { Happened } from './happened.js';
import { pusherSource } from './pusher-source.js';

const by = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const returned = query.get('redirect_status') === 'succeeded' ? query.get('payment_intent') : null;

const read = async (path, init) => {
  const answer = await fetch(path, { cache: 'no-store', ...init });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message ?? `the answer was ${answer.status}`);
  return answer.json();
};
const write = (path, body = {}) => read(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

const happened = new Happened({ summary: by('summary'), line: by('line'), marks: by('marks'), channel: by('channel'), flag: by('flag') });
let paid = null; // the last payment that was begun here
let pending = null;
let isBusy = false;

function render(bookings) {
  const newest = bookings.at(-1);
  const isPending = !newest.paid && pending !== null;
  const title = `${newest.title}, ${newest.when}`;
  const alert = by('alert');
  alert.dataset.is = newest.paid ? 'paid' : 'unpaid';
  const text = newest.paid ? `${title}: paid. Thank you.` : isPending ? `${title}: not paid yet, as of the last refetch.` : `${title}: not paid yet.`;
  say(alert, text);
  by('pay').hidden = newest.paid;
  by('pay').disabled = isPending || isBusy;
  by('form').querySelector('fieldset').hidden = newest.paid || isPending;
  by('book').hidden = !newest.paid;
  list(by('bookings'), [...bookings].reverse(), ({ number }) => number, begin, (row, booking) => {
    say(row.lastChild, booking.paid ? '✓ paid' : 'not paid');
    row.dataset.paid = booking.paid;
  });
}

const begin = ({ title, when, price }) => make('tr', {}, make('td', {}, make('strong', { text: title }), make('span', { text: when })), make('td', { text: price }), make('td'));

let shown = [];
async function refetch(payment) {
  const request = happened.asks();
  try {
    const { bookings } = await read(request.isPushed ? '/payer/bookings?pushed' : '/payer/bookings');
    shown = bookings;
    const isPaid = bookings.some((booking) => booking.payment_intent === payment && booking.paid);
    happened.found(request, isPaid);
    render(bookings);
    return isPaid;
  } catch (error) {
    happened.failed(request);
    throw error;
  }
}

function report(url, body) {
  const { token: _, ...report } = JSON.parse(body);
  if (paid === null || report.payment_intent === paid) happened.reported(report); // the previous one reports when the next begins
  by('report-box').hidden = false;
  by('report').textContent = JSON.stringify(report, null, 1);
  return navigator.sendBeacon(url, body);
}

async function start() {
  const settings = await read('/payer/settings');
  const payments = createPaymentRefresh({
    flagUrl: settings.flag_url,
    targetingKey: settings.user_id,
    reportUrl: settings.report_url,
    token: async () => (await fetch('/payer/token', { cache: 'no-store' })).text(),
    source: pusherSource(settings, (what) => happened.received(what)),
    refetch,
    onChange: (state) => {
      pending = state.pending;
      if (pending && !happened.isOn) happened.begins('This page was loaded anew, and takes the payment up');
      happened.changed(state);
      if (shown.length) render(shown);
    },
    environment: { sendBeacon: report, fetch: (url, init) => happened.watched(url, fetch(url, init)) },
  });

  by('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    isBusy = true;
    render(shown);
    const flow = new FormData(by('form')).get('flow');
    try {
      const { payment_intent: payment, redirect } = await write('/payer/pay', { flow });
      if (redirect) {
        payments.expect(payment);
        location.href = redirect;
        return;
      }
      paid = payment;
      happened.begins('You paid here');
      payments.begin(payment);
    } catch (error) {
      say(by('summary'), `That was not done: ${error.message}. Is “sidecar demo” still running?`);
    } finally {
      isBusy = false;
      render(shown);
    }
  });
  by('book').addEventListener('click', async () => {
    ({ bookings: shown } = await write('/payer/book'));
    happened.forgets();
    by('report-box').hidden = true;
    render(shown);
    by('pay').focus();
  });

  if (returned) happened.begins('Returned from Stripe’s page');
  else ({ bookings: shown } = await read('/payer/bookings'));
  payments.resume(returned);
  if (returned) history.replaceState(null, '', '/payer'); // reloaded, it is a dashboard like any other
  if (shown.length) render(shown);
  document.body.dataset.ready = 'true';
}

start().catch((error) => {
  by('stopped').hidden = false;
  by('stopped').textContent = `The world cannot be reached: ${error.message}. Is “sidecar demo” still running?`;
});
