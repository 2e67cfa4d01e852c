/** The cards of one job’s page. */

import { money } from './amounts.js';
import { download, downloadCsv } from './csv.js';
import { button, h, table } from './dom.js';
import { UNFINISHED } from './failures.js';
import { count, lasting, moment, several, stateText, stateTone, UNDER_WAY, whole } from './format.js';
import { knownNano, nano, perMillion } from './money.js';
import { Card, copy, empty } from './parts.js';

/** @typedef {import('./job.js').Cost} Cost */

/** @type {Record<string, string>} */
const KINDS = { failed: 'Failed', blocked: 'Blocked', truncated: 'Cut off' };
/** @typedef {'input' | 'cached_input' | 'output'} Direction */
/** @type {[Direction, string][]} */
const DIRECTIONS = [
  ['input', 'Input'],
  ['cached_input', 'Cached input'],
  ['output', 'Output'],
];

/**
 * Splits "cached_input_audio" into ['cached_input', 'audio'].
 * @param {string} item
 * @returns {[Direction, string]}
 */
function partsOf(item) {
  const [direction] = [...DIRECTIONS].reverse().find(([name]) => item.startsWith(`${name}_`)) ?? [null];
  return direction ? [direction, item.slice(direction.length + 1)] : ['input', item];
}

/**
 * Shows usage by modality and tier, and behind it the line items that it sums up.
 * @param {{cost: Cost, id: string}} props
 */
export function UsageCard({ cost, id }) {
  const title = 'Usage by modality and tier';
  if (!cost.lineItems.length) {
    const text =
      cost.status === 'FINAL' ? 'No row used anything.' : 'It is read from the output that Vertex AI writes.';
    return h(Card, { title }, empty(cost.status === 'FINAL' ? 'No usage' : 'No usage yet', text));
  }
  /** @type {Map<string, Record<Direction, number> & {amount: bigint | null, priced: boolean}>} */
  const cells = new Map();
  const units = new Set();
  for (const item of cost.lineItems) {
    const [direction, modality] = partsOf(item.item);
    units.add(`${item.unit}s`);
    const name = JSON.stringify([item.contextWindow, modality]);
    const line = cells.get(name) ?? { input: 0, cached_input: 0, output: 0, amount: null, priced: true };
    line[direction] += item.quantity;
    if (item.amount !== null) line.amount = (line.amount ?? 0n) + nano(item.amount);
    line.priced &&= item.amount !== null;
    cells.set(name, line);
  }
  const tokens = cost.usage;
  return h(
    Card,
    { title },
    table(
      title,
      [['Modality', ''], ['Tier', ''], ...DIRECTIONS.map(([, text]) => [text, 'number']), ['Cost', 'number']],
      [...cells].map(([name, line]) => {
        const [tier, modality] = JSON.parse(name);
        return [
          modality.replaceAll('_', ' '),
          tier ? `${tier} tokens` : 'one tier',
          ...DIRECTIONS.map(([direction]) => (line[direction] ? count(line[direction]) : '')),
          money(line.amount, { floor: !line.priced }),
        ];
      }),
    ),
    h(
      'p',
      { class: 'help' },
      `In ${[...units].join(' and ')}. In all `,
      count(tokens.inputTokens),
      ' in (',
      count(tokens.cachedInputTokens),
      ' of them cached) and ',
      count(tokens.outputTokens),
      ' out (',
      count(tokens.thoughtsTokens),
      ' of them thoughts).',
    ),
    h(
      'details',
      { class: 'behind' },
      h('summary', {}, 'Line items with their prices'),
      lineItems(cost),
      button('Download line items', () => downloadCsv(itemRows(cost), `job-${id}-items.csv`), {
        symbol: 'download',
      }),
    ),
  );
}

/** @param {Cost} cost */
function lineItems(cost) {
  return table(
    'Line items',
    [
      ['Item', ''],
      ['Model', ''],
      ['Tier', ''],
      ['Quantity', 'number'],
      ['Price', 'number'],
      ['Amount', 'number'],
    ],
    cost.lineItems.map((item) => [
      item.item.replaceAll('_', ' '),
      item.model,
      item.contextWindow ?? '—',
      count(item.quantity),
      item.unitPrice === null
        ? h('span', { class: 'failed' }, 'no price')
        : h(
            'span',
            { title: `$${item.unitPrice} a ${item.unit}` },
            perMillion(item.unitPrice),
            h('small', { class: 'muted' }, ` / M ${item.unit}s`),
          ),
      money(knownNano(item.amount)),
    ]),
  );
}

/** @param {Cost} cost */
function itemRows(cost) {
  return [
    ['item', 'model', 'context_window', 'quantity', 'unit', 'unit_price_usd', 'amount_usd'],
    ...cost.lineItems.map((item) => [
      item.item,
      item.model,
      item.contextWindow,
      item.quantity,
      item.unit,
      item.unitPrice,
      item.amount,
    ]),
  ];
}

/**
 * @param {Cost} cost
 * @param {import('./job.js').Resource | null} resource
 */
export function timelineCard(cost, resource) {
  const title = 'Timeline';
  const { createTime, startTime, endTime, updateTime } = resource ?? {};
  if (!createTime) {
    return h(Card, { title }, empty('Not known', 'Vertex AI no longer says when this job ran.'));
  }
  const ends = UNDER_WAY.includes(cost.state);
  const outputs = `with ${cost.outputs.length} output${cost.outputs.length === 1 ? '' : 's'} settled`;
  /** @type {{text: string, time?: string, tone: string, note?: string}[]} */
  const steps = [
    { text: 'Created', time: createTime, tone: 'idle' },
    ...(startTime ? [{ text: 'Started', time: startTime, tone: 'run' }] : []),
    {
      text: stateText(cost.state),
      time: ends ? updateTime : endTime,
      tone: stateTone(cost.state),
      note: ends ? 'now' : '',
    },
    ...(cost.status === 'FINAL' ? [{ text: 'Cost final', tone: 'good', note: outputs }] : []),
  ];
  return h(
    Card,
    { title },
    h(
      'ol',
      { class: 'timeline' },
      steps.map(({ text, time, tone, note }, at) => {
        const before = steps[at - 1]?.time;
        const since = time && before ? Date.parse(time) - Date.parse(before) : 0;
        return h(
          'li',
          { class: tone },
          h('b', {}, text),
          time && moment(time),
          note && h('span', { class: 'muted' }, note),
          since > 0 && h('span', { class: 'muted since' }, `+${lasting(since)}`),
        );
      }),
    ),
  );
}

/**
 * Returns which rows no kind of error counts: those that could not be read, and those that a job did not get to.
 * @param {Cost} cost
 */
function leftOut({ state, rows, progress }) {
  const unread = rows.malformed + rows.unrecognized;
  const seen = rows.succeeded + rows.failed + unread + rows.carriedOver;
  const total = progress.total ?? 0;
  const missing = UNDER_WAY.includes(state) ? 0 : total - seen;
  const texts = [
    unread > 0 && `${several(unread, 'row')} could not be read.`,
    missing > 0 &&
      `${several(missing, 'row')} of ${whole(total)} are not in the output: not run, or lost when the job ended.`,
    missing <= 0 &&
      UNFINISHED.includes(state) &&
      'The job did not succeed: rows that its output leaves out are not counted here.',
  ];
  return texts.filter(Boolean).join(' ');
}

/** @param {Cost} cost */
export function wasteCard(cost) {
  const title = 'Errors and waste';
  const { reasons, amount } = cost.waste;
  if (cost.status === 'PENDING') {
    return h(Card, { title }, empty('Not known yet', 'It is read from the output that Vertex AI writes.'));
  }
  const left = leftOut(cost);
  if (!reasons.length) {
    const found = left
      ? 'None in the output'
      : cost.status === 'FINAL'
        ? 'No errors, no waste'
        : 'None so far';
    const text = `No row${left ? ' in it' : ''} failed, and no answer was blocked or cut off. ${left}`;
    return h(Card, { title }, empty(found, text));
  }
  return h(
    Card,
    { title },
    table(
      'Errors and waste by kind',
      [
        ['Kind', ''],
        ['Reason', ''],
        ['Rows', 'number'],
        ['Cost', 'number'],
      ],
      reasons.map((each) => [
        KINDS[each.kind] ?? each.kind,
        h('code', {}, each.reason),
        count(each.rows),
        money(knownNano(each.amount)),
      ]),
    ),
    h(
      'p',
      { class: 'help' },
      money(nano(amount), { floor: reasons.some((each) => each.amount === null) }),
      ` was spent on answers that were blocked or cut off. Failed rows are free. ${left}`,
    ),
  );
}

/**
 * @param {import('./job.js').Seen} seen
 * @param {string} id
 */
export function rawCard({ cost, resource }, id) {
  const text = JSON.stringify({ job: resource, cost }, null, 2);
  const save = () => download(new Blob([text], { type: 'application/json' }), `job-${id}.json`);
  return h(
    'details',
    { class: 'card raw' },
    h('summary', {}, 'The job as JSON'),
    h(
      'div',
      { class: 'row' },
      button('Copy', () => copy(text), { symbol: 'copy' }),
      button('Download', save, { symbol: 'download' }),
    ),
    h('pre', { tabindex: 0, 'aria-label': 'JSON' }, text),
  );
}
