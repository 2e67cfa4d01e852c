/** The page for the morning: what was spent, what runs, what went wrong. */

import { everyTeam, file } from './api.js';
import { budgetsCard } from './budgets.js';
import { showModels } from './bymodel.js';
import { button, fill, h, select } from './dom.js';
import { every } from './live.js';
import { lookBack } from './lookback.js';
import { card, download } from './parts.js';
import { dayOf, RANGES, seconds, startOf } from './periods.js';
import { showRunning } from './running.js';
import { spendCard } from './spend.js';
import { showTiles, waiting } from './tiles.js';

const GROUPS = [
  ['model', 'Model'],
  ['team', 'Team'],
  ['api_key', 'Key'],
  ['label:', 'Label …'],
];

export async function show(root, view) {
  const { query, who, signal } = view;
  const range = RANGES[query.get('range')] ? query.get('range') : '30d';
  const team = who.admin ? query.get('team') : null;
  const filter = team ? [['team', team]] : [];
  const tiles = h('div', { class: 'tiles' });
  const running = card('Running now', { actions: [h('a', { href: '#/jobs' }, 'All jobs')] });
  const byModel = card('Cost by model', { note: RANGES[range].text });
  const waste = card('Failed and wasted', { note: RANGES[range].text });
  const failures = card('What went wrong lately', { note: RANGES[range].text });
  const budgets = budgetsCard(view, team);
  const spend = spendCard(view, range, filter, controls(view, range));
  fill(
    root,
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: '-1' }, 'Overview'),
      who.admin
        ? teamPicker(view, team)
        : h('p', { class: 'note' }, who.team ? `Team ${who.team}` : who.alias),
      h('span', { class: 'grow' }),
      exports(range, filter),
    ),
    tiles,
    h(
      'div',
      { class: 'columns' },
      spend.element,
      h('div', { class: 'stack' }, byModel.element, waste.element),
    ),
    h(
      'div',
      { class: 'columns' },
      h('div', { class: 'stack' }, running.element, failures.element),
      budgets.element,
    ),
  );
  fill(
    tiles,
    ['Today', 'This week', 'This month'].map((name) => waiting(name)),
  );

  const retry = [];
  const failed = (shown) => (error) => shown.failed(error, () => retry.forEach((again) => again()));
  retry.push(
    every(
      () => 60,
      () => showTiles(tiles, filter, budgets, signal),
      signal,
      (error) => {
        if (tiles.querySelector('[aria-busy]'))
          fill(tiles, h('p', { class: 'problem', role: 'alert' }, error.message));
      },
    ),
    every(
      () => 60,
      () => spend.load(),
      signal,
      failed(spend),
    ),
    every(
      () => 60,
      () => showModels(byModel, range, filter, signal),
      signal,
      failed(byModel),
    ),
    every(
      () => 300,
      () => lookBack(waste, failures, range, filter, signal),
      signal,
      (error) => {
        failed(waste)(error);
        failed(failures)(error);
      },
    ),
  );
  let some = false;
  const look = async () => {
    some = await showRunning(running, filter, signal);
  };
  retry.push(every(() => (some ? 15 : 60), look, signal, failed(running)));
}

function controls(view, range) {
  const by = view.query.get('by') ?? 'model';
  const isLabel = by.startsWith('label:');
  const label = h('input', {
    id: 'by-label',
    'aria-label': 'Label name',
    placeholder: 'label name',
    value: isLabel ? by.slice(6) : '',
    hidden: !isLabel,
    onchange: (event) => event.target.value && view.go({ by: `label:${event.target.value.trim()}` }),
  });
  const grouping = select(GROUPS, isLabel ? 'label:' : by, {
    id: 'by',
    'aria-label': 'Stacked by',
    onchange: () => {
      label.hidden = grouping.value !== 'label:';
      if (label.hidden) view.go({ by: grouping.value });
      else label.focus();
    },
  });
  const choices = Object.entries(RANGES).map(([key, { text, short }]) =>
    h(
      'button',
      {
        type: 'button',
        id: `range-${key}`,
        'aria-pressed': String(key === range),
        title: text,
        onclick: () => view.go({ range: key }),
      },
      short,
    ),
  );
  return [grouping, label, h('div', { class: 'segments', role: 'group', 'aria-label': 'Range' }, choices)];
}

function teamPicker(view, team) {
  const picker = select([['', 'All teams']], '', {
    id: 'team',
    'aria-label': 'Team',
    onchange: () => view.go({ team: picker.value || null }),
  });
  // The page does not wait for the names.
  everyTeam(view.signal).then(
    (teams) => {
      picker.append(
        ...teams.map((each) => h('option', { value: each.team_id }, each.team_alias ?? each.team_id)),
      );
      picker.value = team ?? '';
    },
    () => {},
  );
  return picker;
}

function exports(range, filter) {
  const take = (format) => async () => {
    const start = seconds(dayOf(new Date(startOf(range, new Date()))));
    const { blob, name } = await file('/v1/costs:export', [
      ['start_time', start],
      ['format', format],
      ...filter,
    ]);
    download(blob, name);
  };
  return h(
    'div',
    { class: 'row' },
    button('CSV', take('csv'), {
      symbol: 'download',
      title: 'Spend by day, model, team, key, project, location',
    }),
    button('FOCUS', take('focus'), {
      symbol: 'download',
      title: 'The same in the FinOps Foundation’s format',
    }),
  );
}
