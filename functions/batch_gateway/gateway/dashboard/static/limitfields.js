/** Fields of dialogs for the limits, budgets and labels of keys and teams; they are named as in the API. */

import { field, h, select } from './dom.js';
import { labelsIn, labelsText } from './labels.js';
import { typedBudget } from './money.js';
import { FieldError } from './problems.js';

/**
 * @typedef {import('./api.js').Owner} Owner
 * @typedef {import('./parts.js').Values} Values
 */

const DURATIONS = [
  ['1mo', 'a calendar month'],
  ['7d', 'a week, from Monday'],
  ['24h', 'a day'],
  ['', 'never'],
];

/**
 * @param {string} name
 * @param {Record<string, any>} properties
 */
export function input(name, properties = {}) {
  return h('input', { name, autocomplete: 'off', spellcheck: false, ...properties });
}

/**
 * Returns fields for what an owner's jobs may use.
 * @param {Owner | null} owner null for a new one
 */
export function limitFields(owner) {
  const list = (/** @type {string[] | null | undefined} */ values) => (values ?? []).join(', ');
  return [
    field(
      'Models',
      input('models', { placeholder: 'gemini-3.5-*', defaultValue: list(owner?.models) }),
      'Separated by commas; empty for all. * stands for anything.',
    ),
    field(
      'May read and write',
      input('allowed_uri_prefixes', {
        placeholder: 'gs://batch-in/search, gs://batch-out/search',
        defaultValue: list(owner?.allowed_uri_prefixes),
      }),
      'gs:// and bq:// prefixes, separated by commas; empty for any.',
    ),
    h(
      'div',
      { class: 'row fields' },
      field('Projects', input('projects', { placeholder: 'all', defaultValue: list(owner?.projects) })),
      field('Locations', input('locations', { placeholder: 'all', defaultValue: list(owner?.locations) })),
    ),
    rateField(owner),
  ];
}

/** @param {Owner | null} owner */
export function rateField(owner) {
  return field(
    'Requests a minute',
    input('rpm_limit', {
      inputmode: 'numeric',
      placeholder: 'no limit',
      defaultValue: owner?.rpm_limit ?? '',
    }),
  );
}

/**
 * Returns the typed limits for a body. Fields that are not there count as empty.
 * @param {Values} values
 */
export function typedLimits(values) {
  const rate = values('rpm_limit');
  if (!/^\d*$/.test(rate))
    throw new FieldError('rpm_limit', 'Write a whole number, or nothing for no limit.');
  return {
    models: listed(values('models')),
    allowed_uri_prefixes: listed(values('allowed_uri_prefixes')),
    projects: listed(values('projects')),
    locations: listed(values('locations')),
    rpm_limit: rate ? Number(rate) : null,
  };
}

/** @param {Owner | null} owner */
export function labelFields(owner) {
  return h(
    'fieldset',
    { class: 'tall' },
    h('legend', {}, 'Labels of its jobs'),
    field(
      'Added',
      input('default_labels', {
        placeholder: 'cost-center=42',
        defaultValue: labelsText(owner?.default_labels ?? {}),
      }),
      'To jobs that have none of the name; name=value, separated by commas.',
    ),
    field(
      'Required',
      input('required_labels', {
        placeholder: 'campaign',
        defaultValue: (owner?.required_labels ?? []).join(', '),
      }),
      'A job without one of these is refused; names, separated by commas.',
    ),
  );
}

/** @param {Values} values */
export function typedLabels(values) {
  return {
    default_labels: inField('default_labels', () => labelsIn(values('default_labels'))),
    required_labels: listed(values('required_labels')),
  };
}

/** @param {Owner | null} owner whose budget is changed; null for a new one */
export function budgetFields(owner) {
  const now = owner?.budget_duration ?? (owner?.max_budget ? '' : '1mo');
  const options = DURATIONS.some(([value]) => value === now)
    ? DURATIONS
    : [[now, `every ${now}`], ...DURATIONS];
  const amount = (/** @type {string} */ name, /** @type {string | null | undefined} */ value) =>
    input(name, { inputmode: 'decimal', placeholder: 'none', defaultValue: value ?? '' });
  return h(
    'fieldset',
    {},
    h('legend', {}, 'Budget, in USD'),
    field('Stop creating jobs at', amount('max_budget', owner?.max_budget)),
    field('Warn from', amount('soft_budget', owner?.soft_budget)),
    field('Resets every', select(options, now, { name: 'budget_duration' })),
  );
}

/**
 * Returns the typed budget for a body; amounts that were not touched are left out, so that none is rounded.
 * @param {Values} values
 * @param {Owner | null} owner
 */
export function typedBudgets(values, owner) {
  /** @type {Record<string, string | number | null>} */
  const budget = { budget_duration: values('budget_duration') || null };
  const [most, soft] = [values('max_budget'), values('soft_budget')];
  if (!owner || most !== (owner.max_budget ?? '') || soft !== (owner.soft_budget ?? '')) {
    budget.max_budget = inField('max_budget', () => typedBudget(most));
    budget.soft_budget = inField('soft_budget', () => typedBudget(soft));
  }
  if (budget.max_budget === null && budget.soft_budget === null) budget.budget_duration = null;
  return budget;
}

/**
 * Calls what reads a field; what it throws is about that field.
 * @template T
 * @param {string} name
 * @param {() => T} read
 * @returns {T}
 */
function inField(name, read) {
  try {
    return read();
  } catch (error) {
    throw new FieldError(name, /** @type {Error} */ (error).message);
  }
}

/**
 * Returns the fields of a body in which an owner is to change. What others have changed since it was read stays.
 * @param {Owner} owner
 * @param {Record<string, unknown>} body
 */
export function changesOf(owner, body) {
  const old = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (owner));
  const isNew = (/** @type {[string, unknown]} */ [name, value]) =>
    JSON.stringify(value) !== JSON.stringify(old[name]);
  return Object.fromEntries(Object.entries(body).filter(isNew));
}

/** @param {string} text */
function listed(text) {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);
}
