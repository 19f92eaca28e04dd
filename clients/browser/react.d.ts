import type { Flow, Options, PaymentState, Source } from './payment-refresh.js';

/** The options of `createPaymentRefresh`, and Stripe's `?payment_intent=` where the page has it. */
export interface HookOptions extends Omit<Options, 'source'> {
  returned?: string | null;
  /** `echoSource(…)`, or nothing while Echo is not there yet. */
  source?: Source | null;
}

export interface PaymentRefreshHook extends PaymentState {
  begin(payment: string, how?: { flow?: Flow }): void;
  expect(payment: string): void;
  pushed(data?: unknown): void;
}

/** Watch over payments while the component is there. */
export function usePaymentRefresh(options: HookOptions): PaymentRefreshHook;
