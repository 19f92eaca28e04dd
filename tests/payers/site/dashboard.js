// The payer's dashboard, as an app would write it with our client: "Pay now" stays until a refetch finds the booking paid.

import Echo from '/node_modules/laravel-echo/dist/echo.js';
import { createPaymentRefresh, echoSource } from '/client/payment-refresh.js';

const query = new URLSearchParams(location.search);
const payer = query.get('payer');
const settings = await (await fetch(`/settings?payer=${payer}`)).json();

// What the tests look at. Times are milliseconds since the payment completed here, or the return page began.
const seen = (window.seen = { began: 0, cleared: null, joined: false, refused: false, flags: 0, tokens: 0, sent: [] });

const render = (isPaid) => {
  document.querySelector('main').innerHTML = isPaid
    ? '<p role="status">Swimming, Tuesday: paid.</p>'
    : '<p role="alert">Swimming, Tuesday: not paid yet. <button>Pay now</button></p>';
  if (isPaid && seen.cleared === null) seen.cleared = Math.round(performance.now() - seen.began);
};

async function refetch() {
  const { bookings } = await (await fetch(`/bookings?payer=${payer}`)).json();
  render(bookings[0].paid);
  return bookings[0].paid;
}

const beacon = navigator.sendBeacon.bind(navigator);
navigator.sendBeacon = (url, body) => {
  seen.sent.push(body);
  return beacon(url, body);
};

window.Echo = new Echo({
  broadcaster: 'reverb',
  Pusher: window.Pusher,
  forceTLS: false,
  enabledTransports: ['ws'],
  ...settings.echo,
});
const channel = window.Echo.private(`live-refresh.${settings.user_id}`);
channel.subscribed(() => (seen.joined = true)).error(() => (seen.refused = true));

const payments = createPaymentRefresh({
  flagUrl: settings.flag_url,
  targetingKey: settings.user_id,
  reportUrl: settings.report_url,
  token: async () => {
    const token = await (await fetch(`/token?payer=${payer}`)).text();
    seen.tokens += 1;
    return token;
  },
  source: echoSource(
    window.Echo,
    `live-refresh.${settings.user_id}`,
    'LiveRefreshContextsUpdated',
    (data) => data.contexts?.includes('bookings'),
  ),
  refetch,
  environment: {
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      await response.clone().text();
      seen.flags += url.startsWith(settings.flag_url);
      return response;
    },
  },
});

async function pay() {
  if (settings.flow === 'redirect') {
    payments.expect(settings.payment_intent);
    location.href = `http://localhost:${location.port}/stripe?payer=${payer}`;
    return;
  }
  await fetch(`/pay?payer=${payer}`, { method: 'POST' });
  seen.began = performance.now();
  payments.begin(settings.payment_intent);
}

render(false);
if (query.get('redirect_status') === 'succeeded') {
  seen.began = performance.now();
  payments.resume(query.get('payment_intent') ?? undefined);
} else {
  payments.prepare();
  document.querySelector('button').addEventListener('click', pay);
}
seen.isReady = true;
