/** A forecast that says how it is made, and that one odd day does not carry away. */

/** Days of history that a forecast uses, and the fewest that it needs. */
export const HISTORY = 28;
export const LEAST_HISTORY = 7;

/**
 * Returns what a window of time will have cost at its end: spent so far, what jobs under way are expected to add, and
 * for the rest of the window the middle half of the days before. Null without enough history.
 *
 * @param {{spent: bigint, coming: bigint, days: bigint[], left: number}} known amounts in nano-dollars; `days` are
 *   those of the last full days, the first of which had spend; `left` is the rest of the window in days
 * @returns {{low: bigint, high: bigint} | null}
 */
export function forecast({ spent, coming, days, left }) {
  if (days.length < LEAST_HISTORY) return null;
  const sorted = [...days].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
  const thousandths = BigInt(Math.round(left * 1000));
  const at = (/** @type {number} */ share) =>
    spent + coming + (sorted[Math.floor((sorted.length - 1) * share)] * thousandths) / 1000n;
  return { low: at(0.25), high: at(0.75) };
}
