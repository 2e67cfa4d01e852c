/** Spend over time as stacked bars, with the table behind them. */

import { go, linkTo } from './address.js';
import { money, plainUsd } from './amounts.js';
import { Chart, colourOf, heightsOf } from './chart.js';
import { downloadCsv } from './csv.js';
import { tallestUncut } from './cutbars.js';
import { button, h, table } from './dom.js';
import { useState } from './hooks.module.js';
import { added, nano } from './money.js';
import { empty, loadedCard } from './parts.js';
import { bucketName } from './periods.js';

const MOST_GROUPS = 8;
/** @type {Record<string, string>} */
const NAMES = { model: 'No model', team: 'No team', api_key: 'Made outside the gateway' };

/**
 * @typedef {import('./api.js').Bucket} Bucket
 * @typedef {{amount: bigint, floor: boolean}} Amount
 * @typedef {{name: string, value: string | null, amounts: Amount[], total: Amount, colour: string}} Group one that
 *   stands for several, or for spend without a value, has none itself
 * @typedef {{buckets: {label: string, long: string, start: number, end: number}[], groups: Group[]}} Spend
 */

/**
 * @param {{
 *   from: import('./live.js').Polled<Bucket[]>, range: import('./ranges.js').Range, by: string, team: string | null,
 *   isWhole: boolean, actions: import('./dom.js').Children,
 * }} props
 */
export function SpendCard({ from, range, by, team, isWhole, actions }) {
  const [hidden, setHidden] = useState(/** @type {string[]} */ ([]));
  const toggle = (/** @type {string} */ name) =>
    setHidden(hidden.includes(name) ? hidden.filter((each) => each !== name) : [...hidden, name]);
  return loadedCard({
    title: 'Spend over time',
    actions,
    kind: 'wide',
    lines: 14,
    from,
    draw: (found) => {
      const spend = arranged(found, by, range.width);
      if (!spend.groups.length) {
        return empty(
          'No spend in this time',
          'Costs appear here as soon as the first output of a job is settled.',
        );
      }
      const shown = spend.groups.filter((group) => !hidden.includes(group.name));
      const heights = heightsOf({ buckets: spend.buckets, groups: shown });
      const tallest = tallestUncut(heights);
      const file = () => downloadCsv(rowsOf(spend), `spend-${range.key}-by-${by.replace(':', '-')}.csv`);
      return [
        h(Chart, {
          pick: (at, group) => {
            location.hash = jobsOf(by, team, group, timeOf(spend.buckets[at]));
          },
          buckets: spend.buckets,
          groups: shown,
          tallest: isWhole ? null : tallest,
        }),
        tallest !== null &&
          h(
            'p',
            { class: 'help row' },
            !isWhole && cutBars(spend, shown, tallest),
            button(isWhole ? 'Cut the tallest bars' : 'Show in full', () =>
              go({ bars: isWhole ? null : 'full' }),
            ),
          ),
        h(
          'ul',
          { class: 'legend' },
          spend.groups.map((group) =>
            entry(group, hidden.includes(group.name), toggle, jobsOf(by, team, group, range.link)),
          ),
        ),
        h(
          'details',
          { class: 'behind' },
          h('summary', {}, 'The figures as a table'),
          figures(spend, by, team),
          button('Download these figures', file, { symbol: 'download' }),
        ),
      ];
    },
  });
}

/**
 * Names the bars that are cut, with what they stand for.
 * @param {Spend} spend
 * @param {Group[]} shown
 * @param {bigint} tallest
 */
function cutBars({ buckets }, shown, tallest) {
  const cut = buckets.flatMap(({ long }, at) => {
    const { amount, floor } = added(shown.map((group) => group.amounts[at]));
    return amount > tallest ? [[h('b', {}, long), ' is ', money(amount, { floor })]] : [];
  });
  return h(
    'span',
    {},
    cut.length === 1 ? 'One bar is cut: ' : `${cut.length} bars are cut: `,
    cut.map((each, at) => [at > 0 && ', ', each]),
    '.',
  );
}

/**
 * Returns a group of the legend: its colour shows and hides it, its name opens its jobs, if they can be told apart.
 * @param {Group} group
 * @param {boolean} hidden
 * @param {(name: string) => void} toggle
 * @param {string} link
 */
function entry(group, hidden, toggle, link) {
  return h(
    'li',
    { key: group.name, class: hidden ? 'off' : '' },
    h(
      'button',
      {
        type: 'button',
        'aria-pressed': String(!hidden),
        'aria-label': `Show ${group.name}`,
        title: hidden ? 'Show' : 'Hide',
        onclick: () => toggle(group.name),
      },
      h('i', { class: 'swatch', style: { '--colour': group.colour } }),
    ),
    h(
      group.value === null ? 'span' : 'a',
      group.value === null ? {} : { href: link },
      group.name,
      ' ',
      h('b', {}, money(group.total.amount, { floor: group.total.floor })),
    ),
  );
}

/**
 * Returns buckets and groups, the largest group first; those after the seventh or eighth in one.
 * @param {Bucket[]} found
 * @param {string} by
 * @param {string} width
 * @returns {Spend}
 */
function arranged(found, by, width) {
  /** @type {Map<string | null, Amount[]>} */
  const totals = new Map();
  found.forEach((bucket, at) => {
    for (const result of bucket.results) {
      const value = valueOf(result, by);
      const amounts = totals.get(value) ?? found.map(() => ({ amount: 0n, floor: false }));
      totals.set(value, amounts);
      amounts[at] = added([amounts[at], { amount: nano(result.amount.value), floor: result.unpriced }]);
    }
  });
  const groups = [...totals]
    .map(([value, amounts]) => ({
      name: nameOf(by, value),
      value,
      amounts,
      total: added(amounts),
      colour: '',
    }))
    .sort((one, other) => (one.total.amount < other.total.amount ? 1 : -1));
  const shown = groups.length > MOST_GROUPS ? groups.slice(0, MOST_GROUPS - 1) : groups;
  const rest = groups.slice(shown.length);
  /** @type {Set<string>} */
  const taken = new Set();
  for (const group of shown) group.colour = colourOf(`${by} ${group.name}`, taken);
  if (rest.length) {
    const amounts = found.map((_, at) => added(rest.map((group) => group.amounts[at])));
    shown.push({
      name: `${rest.length} others`,
      value: null,
      amounts,
      total: added(amounts),
      colour: 'var(--other)',
    });
  }
  return {
    buckets: found.map((bucket) => ({
      ...bucketName(bucket, width),
      start: bucket.start_time,
      end: bucket.end_time,
    })),
    groups: shown,
  };
}

/**
 * Returns the group that a result belongs to; null for spend without such a value.
 * @param {import('./api.js').CostResult} result
 * @param {string} by
 */
export function valueOf(result, by) {
  if (by.startsWith('label:')) return result.labels?.[by.slice(6)] ?? null;
  return { model: result.model, team: result.team, api_key: result.api_key }[by] ?? null;
}

/**
 * @param {string} by
 * @param {string | null} value
 */
export function nameOf(by, value) {
  return value ?? (by.startsWith('label:') ? `No ${by.slice(6)}` : (NAMES[by] ?? 'None'));
}

/**
 * Returns the address of the jobs behind an amount.
 * @param {string} by
 * @param {string | null} team
 * @param {Group | null} group
 * @param {import('./address.js').Changes} time
 */
function jobsOf(by, team, group, time) {
  return linkTo('jobs', { team, ...(group ? filterFor(by, group.value) : {}), ...time, sort: '-amount' });
}

/** @param {{start: number, end: number}} bucket */
function timeOf({ start, end }) {
  return { from: String(start), until: String(end) };
}

/**
 * Returns the filter of jobs for a group; none if it has no value.
 * @param {string} by
 * @param {string | null} value
 * @returns {import('./address.js').Changes}
 */
export function filterFor(by, value) {
  if (value === null) return {};
  if (by.startsWith('label:')) return { label: `${by.slice(6)}=${value}` };
  return { [by === 'api_key' ? 'key' : by]: value };
}

/**
 * @param {Spend} spend
 * @param {string} by
 * @param {string | null} team
 */
function figures({ buckets, groups }, by, team) {
  const columns = [['Time', ''], ...groups.map((group) => [group.name, 'number']), ['Total', 'number']];
  const rows = buckets.map((bucket, at) => {
    const amounts = groups.map((group) => group.amounts[at]);
    const cells = amounts.map(({ amount, floor }, place) => {
      const shown = money(amount, { floor });
      const isLinked = (amount || floor) && groups[place].value !== null;
      return isLinked ? h('a', { href: jobsOf(by, team, groups[place], timeOf(bucket)) }, shown) : shown;
    });
    const { amount, floor } = added(amounts);
    const total = money(amount, { floor });
    return [
      bucket.long,
      ...cells,
      amount || floor ? h('a', { href: jobsOf(by, team, null, timeOf(bucket)) }, total) : total,
    ];
  });
  return table('Spend over time', columns, rows.reverse());
}

/** @param {Spend} spend */
function rowsOf({ buckets, groups }) {
  const header = ['start_time', ...groups.map((group) => group.name), 'total', 'unpriced'];
  const rows = buckets.map((bucket, at) => {
    const amounts = groups.map((group) => group.amounts[at]);
    const total = added(amounts);
    return [
      new Date(bucket.start * 1000).toISOString(),
      ...[...amounts, total].map(({ amount }) => plainUsd(amount)),
      total.floor,
    ];
  });
  return [header, ...rows];
}
