/** The page for the morning: what was spent, what runs, what went wrong. */

import { go } from './address.js';
import { costs, everyKey, everyTeam, file, get, jobsIn, whoAmI } from './api.js';
import { AT_LEAST } from './amounts.js';
import { BudgetsCard, budgetsOf } from './budgets.js';
import { ModelsCard } from './bymodel.js';
import { ChangesCard, changesOf } from './changes.js';
import { download } from './csv.js';
import { button, h, select } from './dom.js';
import { UNDER_WAY } from './format.js';
import { FailuresCard, failuresOf, WasteCard } from './failures.js';
import { FirstJob } from './firstjob.js';
import { useState } from './hooks.module.js';
import { usePolled } from './live.js';
import { MissingPrices } from './missingprices.js';
import { dayOf, RANGES, seconds, startOf } from './periods.js';
import { zoneParameter } from './preferences.js';
import { MOST_RUNNING, RunningCard, underWay } from './running.js';
import { SpendCard } from './spend.js';
import { firstDay, Tiles } from './tiles.js';
import { TimingCard } from './timing.js';
import { useValues } from './values.js';

/** @typedef {import('./api.js').Query} Query */

const GROUPS = [
  ['model', 'Model'],
  ['team', 'Team'],
  ['api_key', 'Key'],
  ['label:', 'Label …'],
];

/** @param {import('./main.js').View} view */
export function Overview({ who, query }) {
  const asked = query.get('range') ?? '';
  const range = Object.hasOwn(RANGES, asked) ? asked : '30d';
  const by = query.get('by') ?? 'model';
  const { may } = who;
  const team = may.seeEverything ? query.get('team') : null;
  /** @type {Query} */
  const filter = team ? [['team', team]] : [];
  const zone = zoneParameter();
  const { width, limit } = RANGES[range];
  /** @returns {Query} */
  const within = () => [
    ['start_time', seconds(startOf(range, Date.now()))],
    ['bucket_width', width],
    ['limit', limit],
    ['time_zone', zone],
    ...filter,
  ];

  const days = usePolled(
    () => 60,
    (signal) =>
      costs(
        [['start_time', firstDay()], ['bucket_width', '1d'], ['limit', 100], ['time_zone', zone], ...filter],
        signal,
      ),
    [team, zone],
  );
  const spend = usePolled(
    () => 60,
    (signal) => costs([...within(), ['group_by', by]], signal),
    [range, team, zone, by],
  );
  const models = usePolled(
    () => 60,
    (signal) => costs([...within(), ['group_by', 'model']], signal),
    [range, team, zone],
  );
  const changes = usePolled(
    () => 300,
    (signal) => changesOf(range, by, [['time_zone', zone], ...filter], signal),
    [range, team, zone, by],
  );
  const running = usePolled(
    (data) => (data?.items.length ? 15 : 60),
    (signal) => jobsIn(UNDER_WAY, MOST_RUNNING, [...underWay(), ...filter], signal),
    [team],
  );
  const times = usePolled(
    () => 300,
    /** @returns {Promise<import('./timing.js').Stats[]>} */
    async (signal) => (await get('/v1/jobs:stats', [], signal)).data,
    [],
  );
  const floors = days.data?.some(({ results }) => results.some(({ unpriced }) => unpriced)) ?? false;
  const missing = usePolled(
    () => 300,
    /** @returns {Promise<import('./missingprices.js').Missing[]>} */
    async (signal) =>
      may.seeEverything && floors ? ((await get('/v1/prices', [], signal)).missing ?? []) : [],
    [floors],
  );
  /** @returns {Query} */
  const since = () => [['start_time', seconds(startOf(range, Date.now()))], ...filter];
  const failures = usePolled(
    () => 300,
    (signal) => failuresOf(since(), signal),
    [range, team, zone],
  );
  const teams = usePolled(
    () => 60,
    async (signal) => (may.seeOwners ? everyTeam(signal) : []),
    [],
  );
  const owners = usePolled(
    () => 60,
    async (signal) => (may.seeOwners ? everyKey(team, signal) : (await whoAmI(signal)).limits),
    [team],
  );
  // Some of the budgets would be taken for all of them.
  const budgets =
    teams.data && owners.data
      ? budgetsOf([...teams.data.filter((each) => !team || each.team_id === team), ...owners.data])
      : null;
  // One key's budget says nothing about what a whole team spends.
  const scope = team ?? who.team;
  const whose = (/** @type {string} */ unit) =>
    may.seeEverything && !team
      ? []
      : (budgets ?? []).filter(
          (budget) => budget.unit === unit && budget.spent !== null && budget.isTeam === Boolean(scope),
        );

  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Overview'),
      may.seeEverything
        ? select([['', 'All teams'], ...teamOptions(teams.data ?? [], team)], team ?? '', {
            id: 'team',
            'aria-label': 'Team',
            onchange: (/** @type {any} */ event) => go({ team: event.target.value || null }),
          })
        : h('p', { class: 'note' }, who.team ? `Team ${who.team}` : who.alias),
      h('span', { class: 'grow' }),
      exports(range, filter),
    ),
    may.runJobs &&
      running.data?.items.length === 0 &&
      days.data?.every(({ results }) => results.length === 0) &&
      h(FirstJob, { may }),
    h(MissingPrices, { missing: missing.data ?? [], maySet: may.administer, done: missing.again }),
    h(Tiles, { days, jobs: running.data?.items ?? null, budgets, whose }),
    h(
      'div',
      { class: 'columns' },
      h(
        'div',
        { class: 'stack' },
        h(SpendCard, { from: spend, range, by, team, actions: h(Controls, { by, range }) }),
        h(ChangesCard, { from: changes, range, by, team }),
        h(RunningCard, { from: running, team }),
        h(TimingCard, { from: times, query, everybody: team !== null }),
        h(FailuresCard, { from: failures, range, team }),
      ),
      h(
        'div',
        { class: 'stack' },
        h(ModelsCard, { from: models, range, team }),
        h(WasteCard, { from: failures, range, team, query: since() }),
        h(BudgetsCard, {
          may,
          from: {
            data: budgets,
            error: teams.error ?? owners.error,
            again: () => {
              teams.again();
              owners.again();
            },
          },
        }),
      ),
    ),
    h('p', { class: 'help floor-note' }, `≥ — ${AT_LEAST}`),
  ];
}

/**
 * @param {import('./api.js').Owner[]} teams
 * @param {string | null} chosen
 */
function teamOptions(teams, chosen) {
  const known = teams.map((each) => [each.team_id, each.team_alias || each.team_id]);
  const missing = chosen && !known.some(([id]) => id === chosen);
  return missing ? [...known, [chosen, chosen]] : known;
}

/** @param {{by: string, range: string}} props */
function Controls({ by, range }) {
  const label = by.startsWith('label:') ? by.slice(6) : null;
  const [asked, setAsked] = useState(false);
  const picksLabel = asked || label !== null;
  const names = Object.keys(useValues(picksLabel).labels);
  if (label !== null && !names.includes(label)) names.push(label);
  const choices = Object.entries(RANGES).map(([key, { text, short }]) =>
    h(
      'button',
      {
        key,
        type: 'button',
        'aria-pressed': String(key === range),
        title: text,
        onclick: () => go({ range: key }),
      },
      short,
    ),
  );
  /** @param {any} event */
  const group = (event) => {
    setAsked(event.target.value === 'label:');
    if (event.target.value !== 'label:') go({ by: event.target.value });
  };
  return [
    select(GROUPS, picksLabel ? 'label:' : by, { 'aria-label': 'Stacked by', onchange: group }),
    picksLabel &&
      select(
        [
          ...(label === null ? [['', names.length ? 'Choose a label' : 'No labels yet']] : []),
          ...names.map((name) => [name, name]),
        ],
        label ?? '',
        {
          'aria-label': 'Label name',
          onchange: (/** @type {any} */ event) =>
            event.target.value && go({ by: `label:${event.target.value}` }),
        },
      ),
    h('div', { class: 'segments', role: 'group', 'aria-label': 'Range' }, choices),
  ];
}

/**
 * @param {string} range
 * @param {Query} filter
 */
function exports(range, filter) {
  const take = (/** @type {string} */ format) => async () => {
    /** @type {Query} */
    const zone = format === 'csv' ? [['time_zone', zoneParameter()]] : [];
    // A FOCUS file holds whole days of UTC.
    const start = format === 'csv' ? dayOf(startOf(range, Date.now())) : utcDay(startOf(range, Date.now()));
    const { blob, name } = await file('/v1/costs:export', [
      ['start_time', seconds(start)],
      ['format', format],
      ...zone,
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
      title: 'The same in the FinOps Foundation’s format, in days of UTC',
    }),
  );
}

/** @param {number} time */
function utcDay(time) {
  return Math.floor(time / 86_400_000) * 86_400_000;
}
