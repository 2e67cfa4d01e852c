/** Groups that spend is divided into: by model, team, key or a label. */

import { go } from './address.js';
import { select } from './dom.js';
import { useState } from './hooks.module.js';
import { useValues } from './values.js';

const GROUPS = [
  ['model', 'Model'],
  ['team', 'Team'],
  ['api_key', 'Key'],
  ['label:', 'Label …'],
];

/**
 * Returns what a group is called within a sentence.
 * @param {string} by
 */
export function groupName(by) {
  if (by.startsWith('label:')) return by.slice(6);
  return GROUPS.find(([name]) => name === by)?.[1].toLowerCase() ?? by;
}

/**
 * Shows the groups to choose from, and the names of labels where a label is wanted.
 * @param {{by: string, parameter: string, text: string}} props `parameter` is the one of the address
 */
export function GroupPicker({ by, parameter, text }) {
  const label = by.startsWith('label:') ? by.slice(6) : null;
  const [asked, setAsked] = useState(false);
  const picksLabel = asked || label !== null;
  const names = Object.keys(useValues(picksLabel).labels);
  if (label !== null && !names.includes(label)) names.push(label);
  /** @param {any} event */
  const group = (event) => {
    setAsked(event.target.value === 'label:');
    if (event.target.value !== 'label:') go({ [parameter]: event.target.value });
  };
  return [
    select(GROUPS, picksLabel ? 'label:' : by, { 'aria-label': text, onchange: group }),
    picksLabel &&
      select(
        [
          ...(label === null ? [['', names.length ? 'Choose a label' : 'No labels yet']] : []),
          ...names.map((name) => [name, name]),
        ],
        label ?? '',
        {
          'aria-label': `${text}: label`,
          onchange: (/** @type {any} */ event) =>
            event.target.value && go({ [parameter]: `label:${event.target.value}` }),
        },
      ),
  ];
}
