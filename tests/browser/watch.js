// One scenario for the real libraries, in Node and in a browser alike: connect, subscribe to a private channel, report events.

export function watch({ Echo, Pusher, options, channel, report }) {
  const echo = new Echo({ broadcaster: 'reverb', Pusher, forceTLS: false, enabledTransports: ['ws'], ...options });
  const { connection } = echo.connector.pusher;
  connection.bind('state_change', ({ current }) => report('state', current));
  connection.bind('error', (error) => report('error', error?.error?.data ?? error?.data ?? error?.error ?? null));
  echo
    .private(channel)
    .subscribed(() => report('subscribed', channel))
    .error((error) => report('refused', { type: error.type, status: error.status }))
    .listen('LiveRefreshContextsUpdated', (data) => report('event', data))
    .listenForWhisper('typing', (data) => report('whisper', data));
  return echo;
}
