import type { Mode } from './payment-refresh.js';

/** What is used of OpenFeature's evaluation details. */
export interface Details {
  value?: unknown;
  reason?: string;
  errorCode?: unknown;
}

/** Return the mode of the object flag's evaluation details: `timer_polling` unless its lease surely runs. */
export function modeOf(details: Details, clocks?: { now?: () => number; wallNow?: () => number }): Mode;
