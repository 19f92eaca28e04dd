/** The flag through an OpenFeature SDK, with its lease checked. */

const MODES = ['timer_polling', 'push_with_safety_net', 'push_only'];
const seen = new Map(); // issued_at → the time of its first evaluation, on the monotonic clock

/**
 * Return the mode of the object flag's evaluation details: `timer_polling` unless its lease is valid by both clocks.
 *
 * A provider keeps its last value when it cannot reach the sidecar, and starts from a stored value. So the value contains
 * the time of its issue and its lease. Its age is the greater of those by the wall clock and by the monotonic clock.
 */
export function modeOf(details, { now = () => performance.now(), wallNow = () => Date.now() } = {}) {
  const value = details?.value;
  const isFresh = !['CACHED', 'STALE', 'ERROR', 'DEFAULT'].includes(details?.reason) && !details?.errorCode;
  if (!isFresh || !MODES.includes(value?.mode) || !(value.valid_for_s > 0)) return MODES[0];
  if (!seen.has(value.issued_at)) {
    if (seen.size > 50) seen.delete(seen.keys().next().value);
    seen.set(value.issued_at, now());
  }
  const ageMs = Math.max(wallNow() - value.issued_at, now() - seen.get(value.issued_at));
  return ageMs < value.valid_for_s * 1000 ? value.mode : MODES[0];
}
