/** Spend over time as stacked bars, with the table behind them. */

import { costs } from './api.js';
import { colourOf, stackedBars } from './chart.js';
import { button, fill, h, table } from './dom.js';
import { money } from './format.js';
import { exactUsd, nano, sum } from './money.js';
import { card, downloadCsv, empty } from './parts.js';
import { bucketName, RANGES, seconds, startOf } from './periods.js';

const MOST_GROUPS = 8;
const NAMES = { model: 'No model', team: 'No team', api_key: 'Made outside the gateway' };

export function spendCard(view, range, filter, actions) {
  const by = view.query.get('by') ?? 'model';
  const { width, limit } = RANGES[range];
  const shown = card('Spend over time', { actions, kind: 'wide' });
  const canvas = h('div', { class: 'chart' });
  const legend = h('ul', { class: 'legend' });
  const behind = h('div', {});
  const details = h('details', { class: 'behind' }, h('summary', {}, 'The figures as a table'), behind);
  const hidden = new Set();
  let draw = null;
  let data = null;
  let drawn = '';

  function show() {
    draw?.({ ...data, groups: data.groups.filter((group) => !hidden.has(group.name)) });
    fill(
      legend,
      data.groups.map((group) =>
        h(
          'li',
          {},
          h(
            'button',
            {
              type: 'button',
              'aria-pressed': String(!hidden.has(group.name)),
              title: exactUsd(group.total),
              onclick: () => {
                if (!hidden.delete(group.name)) hidden.add(group.name);
                show();
              },
            },
            h('i', { class: 'swatch', style: { '--colour': group.colour } }),
            h('span', {}, group.name),
            h('b', {}, money(group.total)),
          ),
        ),
      ),
    );
  }

  async function load() {
    const start = seconds(startOf(range, new Date()));
    const query = [
      ['start_time', start],
      ['bucket_width', width],
      ['limit', limit],
      ['group_by', by],
      ...filter,
    ];
    const found = await costs(query, view.signal);
    // What is on the screen, and under the pointer, stays as long as it is right.
    if (JSON.stringify(found) === drawn) return;
    drawn = JSON.stringify(found);
    data = arranged(found, by, width);
    if (!data.groups.length) {
      draw = null;
      shown.fill(
        empty('No spend in this time', 'Costs appear here as soon as the first output of a job is settled.'),
      );
      return;
    }
    if (!draw) {
      shown.fill(canvas, legend, details);
      draw = await stackedBars(canvas, view.signal);
    }
    show();
    fill(
      behind,
      figures(data),
      button(
        'Download these figures',
        () => downloadCsv(rowsOf(data), `spend-${range}-by-${by.replace(':', '-')}.csv`),
        { symbol: 'download' },
      ),
    );
  }

  return { ...shown, load };
}

/** Buckets and groups, the largest group first; those after the seventh or eighth in one. */
function arranged(found, by, width) {
  const totals = new Map();
  found.forEach((bucket, at) => {
    for (const result of bucket.results) {
      const name = nameOf(result, by);
      if (!totals.has(name))
        totals.set(
          name,
          found.map(() => 0n),
        );
      totals.get(name)[at] += nano(result.amount.value);
    }
  });
  let groups = [...totals]
    .map(([name, amounts]) => ({ name, amounts, total: sum(amounts) }))
    .sort((one, other) => (one.total < other.total ? 1 : one.total > other.total ? -1 : 0));
  if (groups.length > MOST_GROUPS) {
    const rest = groups.slice(MOST_GROUPS - 1);
    const amounts = found.map((_, at) => sum(rest.map((group) => group.amounts[at])));
    const other = { name: `${rest.length} others`, amounts, total: sum(amounts), other: true };
    groups = [...groups.slice(0, MOST_GROUPS - 1), other];
  }
  return {
    buckets: found.map((bucket) => ({ ...bucketName(bucket, width), start: bucket.start_time })),
    groups: groups.map((group, at) => ({ ...group, colour: colourOf(at, group.other) })),
  };
}

function nameOf(result, by) {
  if (by.startsWith('label:')) return result.labels?.[by.slice(6)] ?? `No ${by.slice(6)}`;
  return result[by] ?? NAMES[by] ?? 'None';
}

function figures({ buckets, groups }) {
  const columns = [['Time', ''], ...groups.map((group) => [group.name, 'number']), ['Total', 'number']];
  const rows = buckets.map((bucket, at) => [
    bucket.long,
    ...groups.map((group) => money(group.amounts[at])),
    money(sum(groups.map((group) => group.amounts[at]))),
  ]);
  return table('Spend over time', columns, rows.reverse());
}

function rowsOf({ buckets, groups }) {
  const header = ['start_time', ...groups.map((group) => group.name), 'total'];
  const plain = (amount) => exactUsd(amount).replace('$', '').replaceAll(',', '').replace('−', '-');
  const rows = buckets.map((bucket, at) => [
    new Date(bucket.start * 1000).toISOString(),
    ...groups.map((group) => plain(group.amounts[at])),
    plain(sum(groups.map((group) => group.amounts[at]))),
  ]);
  return [header, ...rows];
}
