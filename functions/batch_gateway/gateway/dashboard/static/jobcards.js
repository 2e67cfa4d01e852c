/** The cards of a job's page. */

import { button, h, table } from './dom.js';
import { bytes, count, lasting, moment, money, stateText, stateTone, UNDER_WAY } from './format.js';
import { nano, perMillion } from './money.js';
import { card, copy, download, downloadCsv, empty } from './parts.js';

const KINDS = { failed: 'Failed', blocked: 'Blocked', truncated: 'Cut off' };
const DIRECTIONS = [
  ['input', 'Input'],
  ['cached_input', 'Cached input'],
  ['output', 'Output'],
];

/** "cached_input_audio" → ['cached_input', 'audio']. */
function partsOf(item) {
  const [direction] = [...DIRECTIONS].reverse().find(([name]) => item.startsWith(`${name}_`)) ?? [null];
  return direction ? [direction, item.slice(direction.length + 1)] : ['input', item];
}

export function usageCard(cost) {
  const shown = card('Usage by modality and tier');
  if (!cost.lineItems.length) {
    shown.fill(empty('No usage yet', 'It is read from the output that Vertex AI writes.'));
    return shown.element;
  }
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
  shown.fill(
    table(
      'Usage by modality and tier',
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
  );
  return shown.element;
}

export function itemsCard(cost, id) {
  const rows = () => [
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
  const shown = card('Line items', {
    actions: cost.lineItems.length
      ? [button('CSV', () => downloadCsv(rows(), `job-${id}-items.csv`), { symbol: 'download' })]
      : [],
  });
  if (!cost.lineItems.length)
    shown.fill(empty('Nothing to bill yet', 'Failed rows are free, and rows to come are not here yet.'));
  else {
    shown.fill(
      table(
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
          money(nano(item.amount)),
        ]),
      ),
    );
  }
  return shown.element;
}

export function timelineCard(cost, resource) {
  const shown = card('Timeline');
  const { createTime, startTime, endTime, updateTime } = resource ?? {};
  if (!createTime) {
    shown.fill(empty('Not known', 'Vertex AI no longer says when this job ran.'));
    return shown.element;
  }
  const end = UNDER_WAY.includes(cost.state)
    ? [[stateText(cost.state), updateTime, stateTone(cost.state), 'now']]
    : [[stateText(cost.state), endTime, stateTone(cost.state)]];
  const steps = [
    ['Created', createTime, 'idle'],
    ...(startTime ? [['Started', startTime, 'run']] : []),
    ...end,
  ];
  const settled =
    cost.status === 'FINAL'
      ? [
          [
            'Cost final',
            null,
            'good',
            `with ${cost.outputs.length} output${cost.outputs.length === 1 ? '' : 's'} settled`,
          ],
        ]
      : [];
  shown.fill(
    h(
      'ol',
      { class: 'timeline' },
      [...steps, ...settled].map(([text, time, tone, note], at, all) => {
        const before = all[at - 1]?.[1];
        const since = time && before && Date.parse(time) - Date.parse(before);
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
  return shown.element;
}

export function wasteCard(cost) {
  const shown = card('Errors and waste');
  const { reasons, amount } = cost.waste;
  if (cost.status === 'PENDING') {
    shown.fill(empty('Not known yet', 'It is read from the output that Vertex AI writes.'));
    return shown.element;
  }
  if (!reasons.length) {
    shown.fill(empty('Nothing failed, nothing wasted', 'No row was refused, blocked or cut off.'));
    return shown.element;
  }
  shown.fill(
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
        money(nano(each.amount)),
      ]),
    ),
    h('p', { class: 'help' }, money(nano(amount)), ' went into answers of no use. Failed rows are free.'),
  );
  return shown.element;
}

export function outputsCard(cost) {
  const shown = card('Outputs');
  if (!cost.outputs.length) shown.fill(empty('No output yet', 'Vertex AI writes it when rows are done.'));
  else {
    shown.fill(
      table(
        'Outputs',
        [
          ['Object', 'uri'],
          ['Rows', 'number'],
          ['Size', 'number'],
        ],
        cost.outputs.map((output) => [
          [
            h('span', { title: `${output.uri}\ngeneration ${output.generation}` }, output.uri),
            output.error && h('small', { class: 'failed' }, output.error),
          ],
          count(output.rows),
          bytes(output.bytes),
        ]),
      ),
    );
  }
  return shown.element;
}

export function rawCard({ cost, resource }, id) {
  const text = JSON.stringify({ job: resource, cost }, null, 2);
  return h(
    'details',
    { class: 'card raw' },
    h('summary', {}, 'The job as JSON'),
    h(
      'div',
      { class: 'row' },
      button('Copy', () => copy(text), { symbol: 'copy' }),
      button('Download', () => download(new Blob([text], { type: 'application/json' }), `job-${id}.json`), {
        symbol: 'download',
      }),
    ),
    h('pre', { tabindex: '0', 'aria-label': 'JSON' }, text),
  );
}
