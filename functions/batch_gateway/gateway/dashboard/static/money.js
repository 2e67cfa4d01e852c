/** US dollars as BigInt of nano-dollars. An amount never becomes a float: those cannot hold 0.1. */

const PLACES = 9;
const ONE = 10n ** BigInt(PLACES);
const CENT = ONE / 100n;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Units of 10^-places in a decimal text such as "0.00009825". Throws if it is none, or has finer digits. */
export function parseDecimal(text, places) {
  const match = DECIMAL.exec(text);
  if (!match || (match[3]?.length ?? 0) > places) throw new TypeError(`no amount: ${text}`);
  const units = BigInt(match[2] + (match[3] ?? '').padEnd(places, '0'));
  return match[1] ? -units : units;
}

/** Nano-dollars in an amount of the API's; null stays null: unknown is not zero. */
export function nano(text) {
  return text === null || text === undefined ? null : parseDecimal(text, PLACES);
}

/** Rounds half away from zero to that many decimals. */
function rounded(amount, decimals) {
  const step = 10n ** BigInt(PLACES - decimals);
  const size = amount < 0n ? -amount : amount;
  return ((size + step / 2n) / step) * step;
}

function write(amount, sizeShown, fewest) {
  const digits = sizeShown.toString().padStart(PLACES + 1, '0');
  const whole = BigInt(digits.slice(0, -PLACES)).toLocaleString('en-US');
  const fraction = digits.slice(-PLACES).replace(/0+$/, '').padEnd(fewest, '0');
  return `${amount < 0n ? '−' : ''}$${whole}${fraction ? `.${fraction}` : ''}`;
}

/** Every digit: "$0.00009825", "$12.50". */
export function exactUsd(amount) {
  return write(amount, amount < 0n ? -amount : amount, 2);
}

/** What a person wants to read: cents from a cent on, two significant digits below. */
export function shortUsd(amount) {
  const size = amount < 0n ? -amount : amount;
  if (size === 0n) return '$0.00';
  if (size >= 100_000n * ONE) return write(amount, rounded(amount, 0), 0);
  if (size >= CENT) return write(amount, rounded(amount, 2), 2);
  const leading = PLACES - size.toString().length;
  return write(amount, rounded(amount, Math.min(PLACES, leading + 2)), 2);
}

/** For an axis: as short as it can be. Ticks are round numbers, so nothing is lost. */
export function tickUsd(dollars) {
  const format = { notation: 'compact', maximumFractionDigits: dollars >= 1 ? 1 : 9 };
  return `$${new Intl.NumberFormat('en-US', format).format(dollars)}`;
}

/** How much a million units cost, given the price of one: "$0.15". */
export function perMillion(unitPrice) {
  return exactUsd(parseDecimal(unitPrice, 12) * 1_000n);
}

/** part / whole in thousandths, as a number of percent; 0 if there is no whole. For bars and shares only. */
export function percentOf(part, whole) {
  return whole > 0n ? Number((part * 1000n) / whole) / 10 : 0;
}

/** Where pixels are wanted, not digits. */
export function approximate(amount) {
  return Number(amount) / Number(ONE);
}

/** A budget as typed, as the JSON number that says the same. Throws what is wrong with it. */
export function typedBudget(text) {
  const plain = text.trim().replace(/^\$/, '').replaceAll(',', '');
  if (plain === '') return null;
  if (!/^\d{1,10}(\.\d{1,9})?$/.test(plain)) throw new Error('Write dollars, such as 250 or 99.50.');
  // Up to 15 significant digits a number is written as it was read.
  if (plain.replace('.', '').replace(/^0+/, '').length > 15) throw new Error('That has more than 15 digits.');
  return Number(plain);
}

export function sum(amounts) {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
}
