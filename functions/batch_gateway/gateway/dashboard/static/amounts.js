/** The one way in which the page writes an amount of money. */

import { h } from './dom.js';
import { exactUsd, shortUsd } from './money.js';
import { isExact } from './preferences.js';

/** The meaning of "≥". */
export const AT_LEAST =
  'At least: some usage has no price or could not be read, or more output may still come.';

/**
 * Returns an amount as text, where no element can be: on labels, in titles, in tooltips.
 * @param {bigint | null} amount nano-dollars; null is what nobody knows
 * @param {{floor?: boolean, exact?: boolean}} options
 */
export function amountText(amount, { floor = false, exact = isExact() } = {}) {
  if (amount === null) return '—';
  return `${floor ? '≥ ' : ''}${exact ? exactUsd(amount) : shortUsd(amount)}`;
}

/**
 * Returns an amount: "≥" before a floor, a dash for what nobody knows. All digits are in its title, and in its
 * text with "Exact amounts" switched on.
 * @param {bigint | null} amount
 * @param {{floor?: boolean}} options
 */
export function money(amount, { floor = false } = {}) {
  if (amount === null) return h('span', { class: 'unknown', title: 'Not known' }, '—');
  const title = `${floor ? `${AT_LEAST} ` : ''}${exactUsd(amount)}`;
  return h('span', { class: `money${floor ? ' floor' : ''}`, title }, amountText(amount, { floor }));
}

/**
 * Returns an amount for a CSV file: every digit, and nothing else.
 * @param {bigint | null} amount
 */
export function plainUsd(amount) {
  return amount === null ? '' : exactUsd(amount).replace('$', '').replaceAll(',', '').replace('−', '-');
}
