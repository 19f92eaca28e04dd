// A source of pushes for the browser's client: the part of Pusher's protocol (version 7) that it needs.
//
// Apps have Laravel Echo and pusher-js, for which the client brings `echoSource`. This page ships no third-party
// code, and shows that a source is small: connect, authorise, subscribe, listen, ping, and reconnect.

const AGAIN_MS = 1000;
const AGAIN_MAX_MS = 10_000;
const PONG_WITHIN_MS = 10_000;

/**
 * @param {{reverb_url: string, app_key: string, channel: string, event: string, auth_endpoint: string, auth_token: string}} settings
 * @param {(what: string) => void} note receives events for display
 * @returns {import('./payment-refresh.js').Source}
 */
export function pusherSource(settings, note = () => {}) {
  return {
    listen(listener) {
      let socket;
      let isStopped = false;
      let fails = 0;
      let timers = [];

      const later = (ms, act) => timers.push(setTimeout(act, ms));
      const forget = () => {
        timers.forEach(clearTimeout);
        timers = [];
      };

      const connect = () => {
        const mine = new WebSocket(`${settings.reverb_url}/app/${settings.app_key}?protocol=7&client=sidecar-demo&version=1.0.0&flash=false`);
        socket = mine;
        mine.onmessage = ({ data }) => mine === socket && take(mine, JSON.parse(data));
        mine.onclose = ({ code }) => mine === socket && closed(code);
      };
      const closed = (code) => {
        forget();
        listener.lost();
        note('lost');
        fails += 1;
        const isFinal = code >= 4000 && code < 4100; // Pusher: do not reconnect with the same settings
        if (!isStopped && !isFinal) later(Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** (fails - 1)), connect);
      };
      const send = (mine, event, data) => mine.send(JSON.stringify({ event, data }));

      /** Ping after the activity timeout, and close the connection without an answer. */
      const watch = (mine, silentMs) => {
        forget();
        later(silentMs, () => {
          send(mine, 'pusher:ping', {});
          later(PONG_WITHIN_MS, () => {
            mine.onclose = null;
            mine.close();
            closed(1006);
          });
        });
      };

      let silentMs = 30_000;
      const take = async (mine, { event, channel, data }) => {
        watch(mine, silentMs);
        if (event === 'pusher:connection_established') {
          const { socket_id: id, activity_timeout: seconds } = JSON.parse(data);
          silentMs = 1000 * (seconds ?? 30);
          fails = 0;
          listener.connected?.();
          note('connected');
          await subscribe(mine, id);
        } else if (event === 'pusher:ping') {
          send(mine, 'pusher:pong', {});
        } else if (channel === settings.channel && event === 'pusher_internal:subscription_succeeded') {
          listener.subscribed();
          note('subscribed');
        } else if (channel === settings.channel && event === settings.event) {
          const content = typeof data === 'string' ? JSON.parse(data) : data;
          if (content.contexts?.includes('bookings')) {
            note('pushed');
            listener.pushed(content);
          }
        }
      };

      const subscribe = async (mine, id) => {
        let answer;
        try {
          answer = await fetch(settings.auth_endpoint, {
            method: 'POST',
            headers: { Authorization: `Bearer ${settings.auth_token}` },
            body: new URLSearchParams({ socket_id: id, channel_name: settings.channel }),
          });
        } catch {
          if (mine === socket) refuse(0);
          return;
        }
        if (mine !== socket) return;
        if (!answer.ok) return refuse(answer.status);
        const { auth } = await answer.json();
        if (mine.readyState === WebSocket.OPEN) send(mine, 'pusher:subscribe', { channel: settings.channel, auth });
      };
      const refuse = (status) => {
        listener.refused(status);
        note(status ? `refused ${status}` : 'refused');
      };

      connect();
      return () => {
        isStopped = true;
        forget();
        if (socket) {
          socket.onclose = null;
          socket.close();
        }
      };
    },
  };
}
