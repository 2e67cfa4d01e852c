/** US dollars as BigInt of nano-dollars. An amount never becomes a float: those cannot hold 0.1. */

const PLACES = 9;
const ONE = 10n ** BigInt(PLACES);
const CENT = ONE / 100n;
const WHOLE = new Intl.NumberFormat('en-US');
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/**
 * Returns the units of 10^-places in a decimal text such as "0.00009825". Throws if it is none, or has finer digits.
 * @param {string} text
 * @param {number} places
 */
function parseDecimal(text, places) {
  const match = DECIMAL.exec(text);
  if (!match || (match[3]?.length ?? 0) > places) throw new TypeError(`no amount: ${text}`);
  const units = BigInt(match[2] + (match[3] ?? '').padEnd(places, '0'));
  return match[1] ? -units : units;
}

/**
 * Returns the nano-dollars in an amount of the API's.
 * @param {string} text
 */
export function nano(text) {
  return parseDecimal(text, PLACES);
}

/**
 * Returns the same, or null where the API has no amount: unknown is not zero.
 * @param {string | null | undefined} text
 */
export function knownNano(text) {
  return text === null || text === undefined ? null : nano(text);
}

/**
 * Rounds half away from zero to that many decimals.
 * @param {bigint} amount
 * @param {number} decimals
 */
function rounded(amount, decimals) {
  const step = 10n ** BigInt(PLACES - decimals);
  const size = amount < 0n ? -amount : amount;
  return ((size + step / 2n) / step) * step;
}

/**
 * @param {bigint} amount
 * @param {bigint} sizeShown
 * @param {number} fewest
 */
function write(amount, sizeShown, fewest) {
  const digits = sizeShown.toString().padStart(PLACES + 1, '0');
  const whole = WHOLE.format(BigInt(digits.slice(0, -PLACES)));
  const fraction = digits.slice(-PLACES).replace(/0+$/, '').padEnd(fewest, '0');
  return `${amount < 0n ? '−' : ''}$${whole}${fraction ? `.${fraction}` : ''}`;
}

/**
 * Returns every digit: "$0.00009825", "$12.50".
 * @param {bigint} amount
 */
export function exactUsd(amount) {
  return write(amount, amount < 0n ? -amount : amount, 2);
}

/**
 * Returns an amount as a person reads it: cents from a cent on, two significant digits below.
 * @param {bigint} amount
 */
export function shortUsd(amount) {
  const size = amount < 0n ? -amount : amount;
  if (size === 0n) return '$0.00';
  if (size >= 100_000n * ONE) return write(amount, rounded(amount, 0), 0);
  if (size >= CENT) return write(amount, rounded(amount, 2), 2);
  const leading = PLACES - size.toString().length;
  return write(amount, rounded(amount, Math.min(PLACES, leading + 2)), 2);
}

/**
 * Returns an amount for an axis, as short as it can be. Ticks are round numbers, so nothing is lost.
 * @param {number} dollars
 */
export function tickUsd(dollars) {
  const digits = dollars >= 1 ? 1 : 9;
  const format = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: digits });
  return `$${format.format(dollars)}`;
}

/**
 * Returns how much a million units cost, given the price of one: "$0.15".
 * @param {string} unitPrice
 */
export function perMillion(unitPrice) {
  return exactUsd(millionth(unitPrice));
}

/**
 * Returns how much a million units cost, from the least to the most expensive: "$0.15 – $0.50"; null for none.
 * @param {string[]} unitPrices
 */
export function perMillionBetween(unitPrices) {
  const amounts = unitPrices.map(millionth);
  if (!amounts.length) return null;
  const least = amounts.reduce((one, other) => (other < one ? other : one));
  const most = amounts.reduce((one, other) => (other > one ? other : one));
  return least === most ? exactUsd(least) : `${exactUsd(least)} – ${exactUsd(most)}`;
}

/**
 * Returns the nano-dollars that a million units cost.
 * @param {string} unitPrice
 */
function millionth(unitPrice) {
  // A discount may add digits: those below a nano-dollar for the million are left out.
  return parseDecimal(unitPrice.replace(/(\.\d{15})\d+$/, '$1'), 15);
}

/**
 * Returns "0.075" as "7.5 %", exactly.
 * @param {string} part
 */
export function percent(part) {
  const digits = (part.split('.')[1] ?? '').padEnd(2, '0');
  const rest = digits.slice(2).replace(/0+$/, '');
  return `${Number(digits.slice(0, 2))}${rest ? `.${rest}` : ''} %`;
}

/**
 * Returns part / whole in percent with one decimal, rounded down, so that only all of it is 100; 0 if there is no whole.
 * @param {bigint} part
 * @param {bigint} whole
 */
export function percentOf(part, whole) {
  return whole > 0n ? Number((part * 1000n) / whole) / 10 : 0;
}

/**
 * Returns part / whole in percent with one decimal, rounded to the nearest; 0 if there is no whole.
 * @param {bigint} part
 * @param {bigint} whole
 */
export function shareOf(part, whole) {
  return whole > 0n ? Number((part * 1000n + whole / 2n) / whole) / 10 : 0;
}

/**
 * Returns dollars as a float, where pixels are wanted, not digits.
 * @param {bigint} amount
 */
export function approximate(amount) {
  return Number(amount) / Number(ONE);
}

/**
 * Returns a budget as typed, as the JSON number that says the same. Throws what is wrong with it.
 * @param {string} text
 */
export function typedBudget(text) {
  const typed = text.trim().replace(/^\$/, '');
  if (typed === '') return null;
  // "12,50" is twelve and a half in half of the world: a comma counts only where it can be nothing else.
  if (!/^(\d{1,10}|\d{1,3}(,\d{3}){1,3})(\.\d{1,9})?$/.test(typed)) {
    throw new Error('Write dollars with a point before the cents, such as 250, 99.50 or 1,250.');
  }
  const plain = typed.replaceAll(',', '');
  // Up to 15 significant digits a number is written as it was read.
  if (plain.replace('.', '').replace(/^0+/, '').length > 15) throw new Error('That has more than 15 digits.');
  return Number(plain);
}

/** @param {Iterable<bigint>} amounts */
export function sum(amounts) {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
}

/**
 * Returns the sum of amounts: a floor if one of them is.
 * @param {{amount: bigint, floor: boolean}[]} amounts
 */
export function added(amounts) {
  return {
    amount: sum(amounts.map((each) => each.amount)),
    floor: amounts.some((each) => each.floor),
  };
}
