/** A comparison with Google's bill: the sums, each day's lines, and what explains their differences. */

import { go } from './address.js';
import { money, plainUsd } from './amounts.js';
import { downloadCsv } from './csv.js';
import { button, h, select, table } from './dom.js';
import { bytes, moment, several } from './format.js';
import { nano, sum } from './money.js';
import { Card, empty } from './parts.js';

/**
 * @typedef {import('./bill.js').Comparison} Comparison
 * @typedef {import('./bill.js').Line} Line
 * @typedef {import('./bill.js').Days} Days
 */

/** Reasons for which somebody may want to set prices of their own. */
const OF_PRICES = ['DISCOUNT', 'LIST_PRICE'];
/** Up to here the summary says that the sums agree. */
const AGREED_PERCENT = 5;

/** @param {{found: Comparison, days: Days, only: boolean}} props `only` lines with a reason */
export function Shown({ found, days, only }) {
  const lines = only ? found.lines.filter(({ reasons }) => reasons.length) : found.lines;
  return [
    h(Sums, { found }),
    Object.keys(found.reasons).length > 0 && reasons(found.reasons),
    h(
      Card,
      {
        title: 'By day, project and SKU',
        note: several(lines.length, 'line'),
        actions: [
          select(
            [
              ['', 'All lines'],
              ['differences', 'Differences only'],
            ],
            only ? 'differences' : '',
            {
              'aria-label': 'Lines',
              onchange: (/** @type {any} */ event) => go({ show: event.target.value || null }),
            },
          ),
          button('CSV', () => csv(lines, days), { symbol: 'download', title: 'These lines' }),
        ],
      },
      lines.length
        ? byDay(lines)
        : only
          ? empty('No line differs', 'No amounts differ by more than 1 % and a cent.')
          : empty('Nothing to compare', 'Neither side has anything for batch jobs on these days.'),
    ),
    others(found),
  ];
}

/** @param {{found: Comparison}} props */
function Sums({ found }) {
  const { export: source, agrees_within_percent: within } = found;
  const agrees = within !== null && Number(within) <= AGREED_PERCENT;
  const [discounts, promotions] = [nano(found.discounts), nano(found.promotions)];
  return h(
    Card,
    { title: 'Comparison' },
    h('p', { class: `banner ${agrees ? 'good' : 'warn'}`, role: 'status' }, h('b', {}, found.summary)),
    h(
      'dl',
      { class: 'sums' },
      pair('Our books', money(nano(found.ours), { floor: isFloor(found.lines) })),
      pair('Google’s bill', money(nano(found.google))),
      pair('Difference', money(nano(found.difference))),
      pair('Ratio', found.ratio ?? '—'),
    ),
    h(
      'p',
      { class: 'help' },
      discounts !== 0n && ['Google’s amount includes ', money(discounts), ' of discounts. '],
      promotions !== 0n && ['Promotional credits of ', money(promotions), ' are not in it. '],
      'The query read ',
      bytes(source.bytes_read),
      ` of ${source.table} (${source.kind} export; BigQuery bills 10 MB at least)`,
      source.newest !== null && [
        ', whose newest row is of ',
        moment(new Date(source.newest * 1000).toISOString()),
      ],
      '.',
    ),
  );
}

/**
 * @param {string} name
 * @param {import('./dom.js').Children} value
 */
function pair(name, value) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value));
}

/** @param {Line[]} lines */
function isFloor(lines) {
  return lines.some((line) => line.reasons.includes('UNPRICED_ROWS'));
}

/** @param {Line[]} lines */
function byDay(lines) {
  /** @type {Map<string, Line[]>} */
  const days = new Map();
  for (const line of lines) days.set(line.day, [...(days.get(line.day) ?? []), line]);
  return h(
    'ul',
    { class: 'days' },
    [...days].reverse().map(([day, of]) => {
      const [ours, google] = [
        sum(of.map((line) => nano(line.ours))),
        sum(of.map((line) => nano(line.google))),
      ];
      return h(
        'li',
        { key: day },
        h(
          'details',
          { open: days.size === 1 },
          h(
            'summary',
            {},
            h('b', {}, day),
            labelled('ours', money(ours, { floor: isFloor(of) })),
            labelled('Google’s', money(google)),
            labelled('difference', money(ours - google)),
            h('span', { class: 'chips' }, badges(of.flatMap((line) => line.reasons))),
          ),
          linesOf(day, of),
        ),
      );
    }),
  );
}

/**
 * @param {string} name
 * @param {import('./dom.js').Children} value
 */
function labelled(name, value) {
  return h('span', {}, h('small', { class: 'muted' }, `${name} `), value);
}

/** @param {string[]} codes */
function badges(codes) {
  return [...new Set(codes)].map((code) => h('span', { class: 'badge warn', key: code }, reasonName(code)));
}

/** @param {string} code */
function reasonName(code) {
  return code.toLowerCase().replaceAll('_', ' ');
}

/**
 * @param {string} day
 * @param {Line[]} lines
 */
function linesOf(day, lines) {
  return table(
    `Lines of ${day}`,
    [
      ['Project', ''],
      ['Model', ''],
      ['Ours', 'number'],
      ['Google’s', 'number'],
      ['Ratio', 'number'],
      ['Finding', ''],
      ['SKUs', 'wrap'],
    ],
    lines.map((line) => [
      line.project,
      [line.model ?? 'unknown model', h('small', { class: 'muted' }, ` ${itemName(line.item)}`)],
      money(nano(line.ours), { floor: isFloor([line]) }),
      money(nano(line.google)),
      line.ratio ?? '—',
      h('span', { class: 'chips' }, line.reasons.length ? badges(line.reasons) : 'agrees'),
      line.skus.map((sku) =>
        h(
          'span',
          { class: 'sku', key: sku.sku },
          sku.description,
          h('small', { class: 'muted' }, ` ${sku.sku}`),
        ),
      ),
    ]),
  );
}

/** @param {string | null} item */
function itemName(item) {
  return item === null ? 'unknown item' : item.replaceAll('_', ' ');
}

/** @param {Record<string, string>} meanings */
function reasons(meanings) {
  return h(
    Card,
    { title: 'Why lines differ' },
    h(
      'dl',
      { class: 'advice' },
      Object.entries(meanings).map(([code, meaning]) =>
        h(
          'div',
          { key: code },
          h('dt', {}, reasonName(code)),
          h('dd', {}, meaning, OF_PRICES.includes(code) && [' ', h('a', { href: '#/prices' }, 'Prices')]),
        ),
      ),
    ),
  );
}

/**
 * Lists what is in the bill and in no line.
 * @param {Comparison} found
 */
function others({ not_compared: rest, unconverted }) {
  if (!rest.length && !unconverted.length) return null;
  return h(
    Card,
    { title: 'In the bill, and not compared' },
    unconverted.length > 0 && [
      h('h3', {}, 'In a currency whose rate the export does not say'),
      table(
        'Costs that are not converted',
        [
          ['Day', ''],
          ['Project', ''],
          ['SKU', 'wrap'],
          ['Amount', 'number'],
        ],
        unconverted.map((sku) => [sku.day, sku.project, sku.description, `${sku.amount} ${sku.currency}`]),
      ),
    ],
    rest.length > 0 &&
      h(
        'details',
        { class: 'behind' },
        h('summary', {}, `${several(rest.length, 'SKU')} not for batch jobs`),
        table(
          'SKUs that are not for batch jobs',
          [
            ['SKU', 'wrap'],
            ['Amount', 'number'],
          ],
          rest.map((sku) => [
            [sku.description, h('small', { class: 'muted' }, ` ${sku.sku}`)],
            money(nano(sku.amount)),
          ]),
        ),
      ),
  );
}

/**
 * @param {Line[]} lines
 * @param {Days} days
 */
function csv(lines, { from, to }) {
  const header = [
    'day',
    'project',
    'model',
    'item',
    'ours',
    'google',
    'difference',
    'ratio',
    'reasons',
    'skus',
  ];
  const rows = lines.map((line) => [
    line.day,
    line.project,
    line.model,
    line.item,
    ...[line.ours, line.google, line.difference].map((amount) => plainUsd(nano(amount))),
    line.ratio,
    line.reasons.join(' '),
    line.skus.map((sku) => `${sku.sku} ${sku.description}`).join('; '),
  ]);
  downloadCsv([header, ...rows], `bill-${from}-${to}.csv`);
}
