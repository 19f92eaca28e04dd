/** What the frontend does after a payment. */
export type Mode = 'timer_polling' | 'push_with_safety_net' | 'push_only';
/** How the payer reached the waiting page. */
export type Flow = 'in_page' | 'redirect';

/** The state that a page can show. */
export interface PaymentState {
  /** The pending payment; null: none. */
  pending: string | null;
  /** Whether the last payment was found paid. */
  cleared: boolean;
  /** The mode in use; `timer_polling` if no payment is watched. */
  mode: Mode;
  /** Whether push is relied upon now, for a payment. */
  isPush: boolean;
}

/** The callbacks of a source. */
export interface Listener {
  /** The socket is connected. */
  connected?(): void;
  /** The channel is joined, for the first time or again, confirmed by the server. */
  subscribed(): void;
  /** The connection is lost. */
  lost(): void;
  /** The subscription was refused; an HTTP status, or 0 if the browser has none. */
  refused(status: number): void;
  /** The broadcast of a payment was received. */
  pushed(data?: unknown): void;
}

/** Stop a source. */
export interface Stop {
  (): void;
  /** Called every second while push is relied upon: report changes without an event, such as a channel that the app left. */
  check?(): void;
}

/** A source of pushes. */
export interface Source {
  /** Start to call the listener; returns a function that stops it. */
  listen(listener: Listener): Stop;
}

/** The browser functions that the module uses; for tests. */
export interface Environment {
  fetch: typeof fetch;
  /** Milliseconds on the monotonic clock. */
  now(): number;
  /** Unix milliseconds. */
  wallNow(): number;
  setTimeout(act: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  random(): number;
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined;
  window: Pick<EventTarget, 'addEventListener' | 'removeEventListener'> | undefined;
  document:
    | (Pick<EventTarget, 'addEventListener' | 'removeEventListener'> & { visibilityState?: string; baseURI?: string })
    | undefined;
  sendBeacon(url: string, body: string): boolean;
  EventSource: typeof EventSource | undefined;
}

/** The options of a page. */
export interface Options {
  /** `https://sidecar.example.test/flags/payment-refresh` */
  flagUrl: string;
  /** The user's id, which determines the share. Without it only an answer for all users is followed. */
  targetingKey?: string;
  /** `https://sidecar.example.test/acks`; without it nothing is reported. */
  reportUrl?: string;
  /** The app's signed token of the user; without it nothing is reported. */
  token?: string | null | (() => string | null | undefined | Promise<string | null | undefined>);
  /** `echoSource(…)`, or your own; without one push is never relied upon. */
  source?: Source | null;
  /**
   * Fetch the bookings again; true: the booking of this payment is paid. Any other result, a rejection, or no result
   * within ten seconds is "not paid". `null`: the push is about something else, and the result is not used.
   */
  refetch(payment: string | null): boolean | Promise<boolean>;
  /** Called on every change. */
  onChange?(state: PaymentState): void;
  /** `https://sidecar.example.test/flags/payment-refresh/stream`: receive changes while a payment is pending. */
  streamUrl?: string;
  environment?: Partial<Environment>;
}

/** The object that watches the payments of a page. */
export interface PaymentRefresh {
  /** The payment form opens: fetch the flag, join the channel. */
  prepare(): void;
  /** Just before the redirect to Stripe: store the payment. */
  expect(payment: string): void;
  /** The payment completed in the page. */
  begin(payment: string, how?: { flow?: Flow }): void;
  /** The page loaded: resume the payment of the URL, or the stored one. */
  resume(payment?: string | null): void;
  /** The app's own listener received the push: call this instead of refetching. */
  pushed(data?: unknown): void;
  /** Stop: report what is known, and remove all timers and listeners. */
  stop(): void;
}

export function createPaymentRefresh(options: Options): PaymentRefresh;

/** The fields of an Echo that the module uses (laravel-echo 2, pusher-js 8). */
export interface EchoLike {
  connector: any;
  private(channel: string): any;
  leaveChannel(channel: string): void;
}

/**
 * Return a source for an existing Echo, or for a function that returns the present one if it is created late, is
 * replaced, or the page is rendered on a server first. `event` null: the source reports the subscription only, and the
 * app calls `pushed`.
 */
export function echoSource(
  echo: EchoLike | (() => EchoLike),
  channel: string,
  event?: string | null,
  isMine?: (data: any) => boolean,
): Source;
