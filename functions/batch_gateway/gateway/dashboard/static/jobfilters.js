/** What of the jobs is wanted: in the address, in the controls, and in the gateway's words. */

import { button, h, select } from './dom.js';
import { DAY, STATE_NAMES, stateText, UNDER_WAY } from './format.js';
import { seconds } from './periods.js';

const SINCE = {
  '1d': ['24 hours', 1],
  '7d': ['7 days', 7],
  '30d': ['30 days', 30],
  '90d': ['90 days', 90],
  all: ['Any time', null],
};
export const FILTERS = ['search', 'state', 'model', 'team', 'label', 'since'];

/** The gateway's parameters for what the address says. */
export function wanted(query) {
  const parameters = [];
  for (const name of ['search', 'model', 'team'])
    if (query.get(name)?.trim()) parameters.push([name, query.get(name).trim()]);
  if (query.get('state') === 'under-way') parameters.push(...UNDER_WAY.map((state) => ['state', state]));
  else if (query.get('state')) parameters.push(['state', query.get('state')]);
  const [label, ...value] = (query.get('label') ?? '').split('=');
  if (label && value.length) parameters.push([`label:${label}`, value.join('=')]);
  const days = SINCE[query.get('since') ?? '30d']?.[1];
  if (days) parameters.push(['start_time', seconds(Date.now() - days * DAY)]);
  return parameters;
}

export function filters(view) {
  const { query, who } = view;
  const set = (name) => (event) => view.go({ [name]: event.target.value.trim() || null, page: null });
  const text = (name, label, placeholder) =>
    h('input', {
      id: `filter-${name}`,
      'aria-label': label,
      placeholder,
      value: query.get(name) ?? '',
      onchange: set(name),
    });
  let typing = null;
  const search = h('input', {
    type: 'search',
    'aria-label': 'Search',
    placeholder: 'Search name, id, model, label …',
    value: query.get('search') ?? '',
    class: 'search',
    id: 'search',
    oninput: (event) => {
      clearTimeout(typing);
      typing = setTimeout(
        () => view.go({ search: event.target.value || null, page: null }, { replace: true }),
        350,
      );
    },
  });
  view.signal.addEventListener('abort', () => clearTimeout(typing));
  const states = [
    ['', 'Any state'],
    ['under-way', 'Under way'],
    ...STATE_NAMES.map((state) => [state, stateText(state)]),
  ];
  const since = Object.entries(SINCE).map(([key, [name]]) => [key, name]);
  return h(
    'div',
    { class: 'filters', role: 'search' },
    search,
    select(states, query.get('state') ?? '', {
      id: 'filter-state',
      'aria-label': 'State',
      onchange: set('state'),
    }),
    text('model', 'Model', 'Model'),
    who.admin && text('team', 'Team', 'Team'),
    text('label', 'Label', 'label=value'),
    select(since, query.get('since') ?? '30d', {
      id: 'filter-since',
      'aria-label': 'Created within',
      onchange: set('since'),
    }),
    FILTERS.some((name) => query.has(name)) &&
      button('Clear', () => view.go(Object.fromEntries([...FILTERS, 'page'].map((name) => [name, null]))), {
        symbol: 'close',
      }),
  );
}
