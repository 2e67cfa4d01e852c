/** The labels of a new job: what its key and team add and require, and fields for them. */

import { field, h } from './dom.js';
import { labelsIn, labelsText } from './labels.js';
import { FieldError } from './problems.js';
import { useValues } from './values.js';

/** @typedef {{added: Record<string, string>, required: string[]}} LabelRules */

/**
 * Returns what a key and its team do to the labels of a job: what they add by default, and which labels they require
 * that they do not add. A key's default goes before its team's.
 * @param {import('./api.js').Owner[]} limits the key, then its team
 * @returns {LabelRules}
 */
export function labelRules(limits) {
  const added = Object.assign({}, ...limits.map((owner) => owner.default_labels).reverse());
  const required = new Set(limits.flatMap((owner) => owner.required_labels));
  return { added, required: [...required].filter((name) => !added[name]).sort() };
}

/** @param {{rules: LabelRules}} props */
export function LabelFields({ rules: { added, required } }) {
  const known = useValues(required.length > 0).labels;
  const single = { autocomplete: 'off', spellcheck: false };
  return [
    required.length > 0 &&
      h(
        'fieldset',
        { class: 'tall' },
        h('legend', {}, 'Labels that every job of yours has'),
        required.map((name) => [
          field(name, h('input', { ...single, name: fieldOf(name), list: `values-${name}`, required: true })),
          h(
            'datalist',
            { id: `values-${name}` },
            (known[name] ?? []).map((value) => h('option', { key: value, value })),
          ),
        ]),
      ),
    field(
      required.length > 0 ? 'Other labels' : 'Labels',
      h('input', { ...single, name: 'labels', placeholder: 'stage=test, source=crm' }),
      Object.keys(added).length > 0 &&
        `The gateway adds ${labelsText(added)}, unless you write other values here.`,
    ),
  ];
}

/**
 * Returns the labels that were typed. Throws at the first required one that has no value.
 * @param {(name: string) => string} typed
 * @param {LabelRules} rules
 */
export function typedLabels(typed, { required }) {
  const labels = labelsIn(typed('labels'));
  for (const name of required) {
    const value = typed(fieldOf(name)) || labels[name];
    if (!value) throw new FieldError(fieldOf(name), `Jobs of your key need the label ${name}.`);
    labels[name] = value;
  }
  return labels;
}

/** @param {string} name */
function fieldOf(name) {
  return `label:${name}`;
}
