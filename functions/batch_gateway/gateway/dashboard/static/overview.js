/** The page for the morning: what was spent, what runs, what went wrong. */

import { go } from './address.js';
import { costs, everyKey, everyTeam, file, get, jobsIn, whoAmI } from './api.js';
import { AT_LEAST } from './amounts.js';
import { BudgetsCard, budgetsOf } from './budgets.js';
import { ChangesCard, changesOf } from './changes.js';
import { download } from './csv.js';
import { button, h, select } from './dom.js';
import { DAY, UNDER_WAY } from './format.js';
import { FailuresCard, failuresOf, WasteCard } from './failures.js';
import { FirstJob } from './firstjob.js';
import { GroupPicker } from './groups.js';
import { usePolled } from './live.js';
import { MissingPrices } from './missingprices.js';
import { dayOf, seconds } from './periods.js';
import { zoneParameter } from './preferences.js';
import { RangePicker, rangeOf, within } from './ranges.js';
import { RankingCard } from './ranking.js';
import { MOST_RUNNING, RunningCard, underWay } from './running.js';
import { SpendCard } from './spend.js';
import { firstDay, Tiles } from './tiles.js';
import { TimingCard } from './timing.js';
import { topJobs, TopJobsCard } from './topjobs.js';

/** @typedef {import('./api.js').Query} Query */

/** @param {import('./main.js').View} view */
export function Overview({ who, query }) {
  const range = rangeOf(query);
  const by = query.get('by') ?? 'model';
  const top = query.get('top') ?? 'model';
  const { may } = who;
  const team = may.seeEverything ? query.get('team') : null;
  /** @type {Query} */
  const filter = team ? [['team', team]] : [];
  const zone = zoneParameter();
  /**
   * @param {string} field
   * @returns {Query}
   */
  const grouped = (field) => [
    ...within(range),
    ['bucket_width', range.width],
    ['limit', range.limit],
    ['time_zone', zone],
    ['group_by', field],
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
    (signal) => costs(grouped(by), signal),
    [range.key, team, zone, by],
  );
  const ranking = usePolled(
    () => 60,
    // The same is not asked for twice.
    async (signal) => (top === by ? [] : costs(grouped(top), signal)),
    [range.key, team, zone, top, top === by],
  );
  const changes = usePolled(
    () => 300,
    (signal) => changesOf(range, by, [['time_zone', zone], ...filter], signal),
    [range.key, team, zone, by],
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
  const since = () => [...within(range), ...filter];
  const failures = usePolled(
    () => 300,
    (signal) => failuresOf(since(), signal),
    [range.key, team, zone],
  );
  const expensive = usePolled(
    () => 300,
    (signal) => topJobs(since(), signal),
    [range.key, team, zone],
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
        h(SpendCard, {
          from: spend,
          range,
          by,
          team,
          isWhole: query.get('bars') === 'full',
          actions: [h(GroupPicker, { by, parameter: 'by', text: 'Stacked by' }), h(RangePicker, { range })],
        }),
        h(ChangesCard, { from: changes, range, by, team }),
        h(TopJobsCard, { from: expensive, range, team }),
        h(RunningCard, { from: running, team }),
        h(TimingCard, { from: times, query, everybody: team !== null }),
        h(FailuresCard, { from: failures, range, team }),
      ),
      h(
        'div',
        { class: 'stack' },
        h(RankingCard, { from: top === by ? spend : ranking, range, by: top, team }),
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

/**
 * @param {import('./ranges.js').Range} range
 * @param {Query} filter
 */
function exports(range, filter) {
  const take = (/** @type {string} */ format) => async () => {
    /** @type {Query} */
    const zone = format === 'csv' ? [['time_zone', zoneParameter()]] : [];
    const now = Date.now();
    const end = range.end(now);
    // A FOCUS file holds whole days of UTC.
    const start = format === 'csv' ? dayOf(range.start(now)) : utcDay(range.start(now));
    const until = end !== null && format !== 'csv' ? utcDay(end + DAY - 1) : end;
    const { blob, name } = await file('/v1/costs:export', [
      ['start_time', seconds(start)],
      ...(until === null ? [] : /** @type {Query} */ ([['end_time', seconds(until)]])),
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
