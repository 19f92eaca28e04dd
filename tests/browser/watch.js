// One scenario for the real libraries, in Node and in a browser alike: connect, join one's channel, tell what happens.

export function watch({ Echo, Pusher, options, channel, tell }) {
  const echo = new Echo({ broadcaster: 'reverb', Pusher, forceTLS: false, enabledTransports: ['ws'], ...options });
  const { connection } = echo.connector.pusher;
  connection.bind('state_change', ({ current }) => tell('state', current));
  connection.bind('error', (error) => tell('error', error?.error?.data ?? error?.data ?? error?.error ?? null));
  echo
    .private(channel)
    .subscribed(() => tell('subscribed', channel))
    .error((error) => tell('refused', { type: error.type, status: error.status }))
    .listen('LiveRefreshContextsUpdated', (data) => tell('event', data))
    .listenForWhisper('typing', (data) => tell('whisper', data));
  return echo;
}
