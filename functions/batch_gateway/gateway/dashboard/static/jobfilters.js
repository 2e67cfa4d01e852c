/** Filters of jobs: in the address, as controls, and as the API's parameters. */

import { go } from './address.js';
import { DateField } from './datefield.js';
import { button, h, select } from './dom.js';
import { DAY, stateText, STATE_NAMES, UNDER_WAY } from './format.js';
import { useEffect, useRef, useState } from './hooks.module.js';
import { dayOf, endOf, RANGES, seconds, startOf } from './periods.js';
import { offset, shifted } from './preferences.js';
import { useValues } from './values.js';

/** @type {Record<string, [string, string[]]>} */
const STATE_GROUPS = {
  'under-way': ['Under way', UNDER_WAY],
  wrong: ['Failed or expired', ['JOB_STATE_FAILED', 'JOB_STATE_EXPIRED']],
};
export const FILTERS = ['search', 'state', 'model', 'team', 'key', 'label', 'since', 'from', 'until'];
const TYPING = 350;
/** The end of the year 9999, in milliseconds. */
const LATEST = 253_402_300_800_000;

/** @typedef {import('./api.js').Job} Job */
/** @typedef {import('./api.js').Query} Query */

/**
 * Returns the label that is wanted: its value is null while only its name is chosen.
 * @param {URLSearchParams} query
 */
export function labelOf(query) {
  const text = query.get('label');
  if (!text) return null;
  const at = text.indexOf('=');
  return at < 0 ? { name: text, value: null } : { name: text.slice(0, at), value: text.slice(at + 1) };
}

/**
 * Returns the gateway's parameters for what the address says.
 * @param {URLSearchParams} query
 * @returns {Query}
 */
export function wanted(query) {
  /** @type {Query} */
  const parameters = [];
  for (const [name, parameter] of [
    ['search', 'search'],
    ['model', 'model'],
    ['team', 'team'],
    ['key', 'api_key'],
  ]) {
    const value = query.get(name)?.trim();
    if (value) parameters.push([parameter, value]);
  }
  const state = query.get('state');
  if (state) {
    for (const each of STATE_GROUPS[state]?.[1] ?? [state]) parameters.push(['state', each]);
  }
  const label = labelOf(query);
  if (label && label.value !== null) parameters.push([`label:${label.name}`, label.value]);
  const range = rangeOf(query);
  const [from, until] = [query.get('from'), query.get('until')];
  const now = Date.now();
  const end = range && !from && endOf(range, now);
  if (from) parameters.push(['start_time', from]);
  else if (range) parameters.push(['start_time', seconds(startOf(range, now))]);
  if (until) parameters.push(['end_time', until]);
  else if (end) parameters.push(['end_time', seconds(end)]);
  return parameters;
}

/**
 * Returns the range of time that jobs were created in; null for any.
 * @param {URLSearchParams} query
 */
function rangeOf(query) {
  const since = query.get('since') ?? '30d';
  if (since === 'all') return null;
  return Object.hasOwn(RANGES, since) ? since : '30d';
}

/** @param {{who: import('./api.js').Who, query: URLSearchParams, jobs: Job[]}} props */
export function Filters({ who, query, jobs }) {
  const values = useValues(true);
  const label = labelOf(query);
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) =>
    go({ [name]: event.target.value || null, page: null });

  /**
   * @param {string} name
   * @param {string} text
   * @param {string} any
   * @param {string[]} options
   */
  const picker = (name, text, any, options) =>
    select(
      [['', any], ...withChosen(options, query.get(name)).map((each) => [each, each])],
      query.get(name) ?? '',
      {
        'aria-label': text,
        onchange: set(name),
      },
    );
  const seen = (/** @type {(job: Job) => string | null} */ of) => jobs.flatMap((job) => of(job) ?? []);
  const labelNames = Object.keys(values.labels);
  const states = [
    ['', 'Any state'],
    ...Object.entries(STATE_GROUPS).map(([group, [text]]) => [group, text]),
    ...STATE_NAMES.map((state) => [state, stateText(state)]),
  ];
  const ranges = [...Object.entries(RANGES).map(([key, { text }]) => [key, text]), ['all', 'Any time']];
  const dates = query.get('from') !== null || query.get('until') !== null;
  const chooseTime = (/** @type {any} */ event) => {
    const { value } = event.target;
    const today = dayOf(Date.now());
    if (value === 'dates')
      go({ since: null, from: seconds(today - 6 * DAY), until: seconds(today + DAY), page: null });
    else go({ since: value, from: null, until: null, page: null });
  };
  return h(
    'div',
    { class: 'filters', role: 'search' },
    h(Search, { text: query.get('search') ?? '' }),
    select(states, query.get('state') ?? '', { 'aria-label': 'State', onchange: set('state') }),
    picker('model', 'Model', 'Any model', [...values.model, ...seen((job) => job.model)]),
    who.may.seeEverything && picker('team', 'Team', 'Any team', [...values.team, ...seen((job) => job.team)]),
    picker('key', 'Key', 'Any key', [...values.api_key, ...seen((job) => job.apiKey)]),
    select(
      [['', 'Any label'], ...withChosen(labelNames, label?.name ?? null).map((name) => [name, name])],
      label?.name ?? '',
      { 'aria-label': 'Label', onchange: set('label') },
    ),
    label &&
      select(
        [
          ...(label.value === null ? [['', `Choose a value of ${label.name}`]] : []),
          ...withChosen(values.labels[label.name] ?? [], label.value).map((value) => [
            `${label.name}=${value}`,
            value,
          ]),
        ],
        label.value === null ? '' : `${label.name}=${label.value}`,
        { 'aria-label': `Value of ${label.name}`, onchange: set('label') },
      ),
    select([...ranges, ['dates', 'Dates …']], dates ? 'dates' : (rangeOf(query) ?? 'all'), {
      'aria-label': 'Created within',
      onchange: chooseTime,
    }),
    dates && timeField('Created from', 'from', query.get('from')),
    dates && timeField('Created before', 'until', query.get('until')),
    FILTERS.some((name) => query.has(name)) &&
      button('Clear', () => go(Object.fromEntries([...FILTERS, 'page'].map((name) => [name, null]))), {
        symbol: 'close',
      }),
  );
}

/**
 * Returns a field for a time in the page's zone; the address has it in seconds.
 * @param {string} label
 * @param {string} name
 * @param {string | null} moment
 */
function timeField(label, name, moment) {
  const time = Number(moment) * 1000;
  return h(DateField, {
    type: 'datetime-local',
    'aria-label': label,
    value: moment && time > 0 && time < LATEST ? shifted(time).toISOString().slice(0, 16) : '',
    chosen: (value) => go({ [name]: value ? seconds(Date.parse(`${value}Z`) - offset()) : null, page: null }),
  });
}

/**
 * Returns the values to pick from, each once; the chosen one is among them even if nothing has it.
 * @param {string[]} values
 * @param {string | null} chosen
 */
function withChosen(values, chosen) {
  return [...new Set(chosen ? [...values, chosen] : values)].sort();
}

/** @param {{text: string}} props */
function Search({ text }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  const [first] = useState(text);
  useEffect(() => () => clearTimeout(timer.current), []);
  // An address that says something else, such as after Back; not while somebody types.
  useEffect(() => {
    if (input.current && timer.current === undefined && input.current.value.trim() !== text)
      input.current.value = text;
  }, [text]);
  const typed = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      timer.current = undefined;
      go({ search: input.current?.value.trim() || null, page: null }, { replace: true });
    }, TYPING);
  };
  return h('input', {
    ref: input,
    type: 'search',
    'aria-label': 'Search',
    placeholder: 'Search name, id, model, label …',
    defaultValue: first,
    class: 'search',
    // What an input method composes is not a word yet.
    oninput: (/** @type {InputEvent} */ event) => event.isComposing || typed(),
    oncompositionend: typed,
  });
}
