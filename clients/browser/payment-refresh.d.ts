/** What the frontend does after a payment. */
export type Mode = 'timer_polling' | 'push_with_safety_net' | 'push_only';
/** How the payer came to the page that waits. */
export type Flow = 'in_page' | 'redirect';

/** What a page may show. */
export interface PaymentState {
  /** The payment that is awaited; null: none is. */
  pending: string | null;
  /** Whether the last one was found paid. */
  cleared: boolean;
  /** What is followed now; `timer_polling` where no payment is watched. */
  mode: Mode;
  /** Whether push is relied upon now, for a payment. */
  isPush: boolean;
}

/** What a source tells. */
export interface Listener {
  /** The socket is connected. */
  connected?(): void;
  /** The channel is joined, for the first time or again: positively known. */
  subscribed(): void;
  /** The connection is lost. */
  lost(): void;
  /** The subscription was refused; an HTTP status, or 0 where the browser was told none. */
  refused(status: number): void;
  /** The news of a payment came. */
  pushed(data?: unknown): void;
}

/** How to end what was begun. */
export interface Stop {
  (): void;
  /** Asked every second while push is relied upon: tell what nothing told of, as a channel that the app has left. */
  check?(): void;
}

/** Where pushes come from. */
export interface Source {
  /** Begin to tell; returns how to end. */
  listen(listener: Listener): Stop;
}

/** What the module needs of a browser; for tests. */
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

/** How a page sets it up. */
export interface Options {
  /** `https://sidecar.example.test/flags/payment-refresh` */
  flagUrl: string;
  /** The user's id: which share of the users this one belongs to. Without it only a flag that all get is followed. */
  targetingKey?: string;
  /** `https://sidecar.example.test/acks`; without it nothing is reported. */
  reportUrl?: string;
  /** The app's signed word for who the user is; without it nothing is reported. */
  token?: string | null | (() => string | null | undefined | Promise<string | null | undefined>);
  /** `echoSource(…)`, or your own; without one push is never relied upon. */
  source?: Source | null;
  /**
   * Fetch the bookings anew; true: the one of this payment is paid. Anything else, also a rejection, or silence for ten
   * seconds, is "not paid". `null`: the news is of something else, and nobody waits for the answer.
   */
  refetch(payment: string | null): boolean | Promise<boolean>;
  /** Called with every change. */
  onChange?(state: PaymentState): void;
  /** `https://sidecar.example.test/flags/payment-refresh/stream`: hear of changes while a payment is pending. */
  streamUrl?: string;
  environment?: Partial<Environment>;
}

/** What watches over the payments of a page. */
export interface PaymentRefresh {
  /** The payment form opens: fetch the flag, join the channel. */
  prepare(): void;
  /** Just before the redirect to Stripe: remember the payment. */
  expect(payment: string): void;
  /** The payment completed in the page. */
  begin(payment: string, how?: { flow?: Flow }): void;
  /** The page loaded: take up the payment of the URL, or the one that was remembered. */
  resume(payment?: string | null): void;
  /** The app's own listener heard the push: call this instead of refetching. */
  pushed(data?: unknown): void;
  /** End it all: what is known is told, and nothing is left behind. */
  stop(): void;
}

export function createPaymentRefresh(options: Options): PaymentRefresh;

/** What is used of an Echo (laravel-echo 2, pusher-js 8). */
export interface EchoLike {
  connector: any;
  private(channel: string): any;
  leaveChannel(channel: string): void;
}

/**
 * Make a source of an existing Echo; or of a function that returns the present one, where it comes late, is replaced, or
 * the page is rendered on a server first. `event` null: it tells of the subscription only, and the app calls `pushed`.
 */
export function echoSource(
  echo: EchoLike | (() => EchoLike),
  channel: string,
  event?: string | null,
  isMine?: (data: any) => boolean,
): Source;
