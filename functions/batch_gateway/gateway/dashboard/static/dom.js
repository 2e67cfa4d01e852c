/** Builds what the page is made of. Text is always set as text, so nothing that a caller wrote becomes markup. */

import { useContext, useState } from './hooks.module.js';
import { cloneElement, h, render } from './preact.module.js';
import { ProblemOfForm } from './problems.js';

export { h, render };

/** @typedef {import('./preact.module.js').ComponentChildren} Children */
/** @typedef {import('./preact.module.js').VNode<any>} Node */

/** @type {Record<string, string>} */
const ICONS = {
  overview: 'M3 13h5v7H3zM10 4h5v16h-5zM17 9h4v11h-4z',
  jobs: 'M4 6h16M4 12h16M4 18h16',
  keys: 'M14 10a4 4 0 1 1-3.5-4M11 9l8 8M16 17l2-2M19 20l2-2',
  run: 'M7 5l12 7-12 7z',
  estimate: 'M6 3h12v18H6zM9 7h6M9 12h1M14 12h1M9 16h1M14 16h1',
  prices: 'M4 12V4h8l8 8-8 8zM8 8v.5',
  bill: 'M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6',
  audit: 'M5 3h14v18H5zM8 8h8M8 12h8M8 16h5',
  theme: 'M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z',
  out: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  download: 'M12 4v11M8 11l4 4 4-4M5 20h14',
  warn: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  back: 'M14 6l-6 6 6 6',
  next: 'M10 6l6 6-6 6',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2',
};

/**
 * Returns a drawing beside a text that says the same.
 * @param {string} name
 */
export function icon(name) {
  return h(
    'svg',
    { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' },
    h('path', { d: ICONS[name] }),
  );
}

/**
 * Returns a button that does something here.
 * @param {Children} text
 * @param {() => unknown} onclick
 * @param {Record<string, any>} options
 */
export function button(text, onclick, { symbol = null, kind = '', ...rest } = {}) {
  return h(
    'button',
    { type: 'button', class: `button ${kind}`, onclick: () => onclick(), ...rest },
    symbol && icon(symbol),
    text,
  );
}

/**
 * Returns a control with its label, and a line of help below it; also what is wrong with it, once its form knows.
 * @param {string} label
 * @param {Node} control
 * @param {Children} help
 */
export function field(label, control, help = null) {
  return h(Field, { label, help, control });
}

/** Preact's own ids are unique in the page or in a dialog only. */
let fields = 0;

/** @param {{label: string, help: Children, control: Node}} props */
function Field({ label, help, control }) {
  const [id] = useState(() => `field-${(fields += 1)}`);
  const problem = useContext(ProblemOfForm);
  const wrong = problem !== null && problem.field === control.props.name ? problem.message : null;
  const described = [wrong && `${id}-problem`, help && `${id}-help`].filter(Boolean).join(' ') || undefined;
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    cloneElement(control, {
      id,
      'aria-describedby': described,
      'aria-invalid': wrong === null ? undefined : 'true',
    }),
    wrong && h('p', { class: 'problem', id: `${id}-problem`, role: 'alert' }, wrong),
    help && h('p', { class: 'help', id: `${id}-help` }, help),
  );
}

/**
 * Returns a select of [value, text] pairs. One with a name is a field of a form, and keeps what was chosen in it; any
 * other one shows `value`.
 * @param {string[][]} options
 * @param {string} value
 * @param {Record<string, any>} properties
 */
export function select(options, value, properties = {}) {
  return h(
    'select',
    properties.name ? properties : { ...properties, value },
    options.map(([key, text]) =>
      h('option', { key, value: key, selected: properties.name ? key === value : undefined }, text),
    ),
  );
}

/**
 * Returns a table with a caption that only screen readers get.
 * @param {string} caption
 * @param {Children[][]} columns [heading, class] each
 * @param {Children[][]} rows
 */
export function table(caption, columns, rows) {
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(([name, kind]) => h('th', { scope: 'col', class: String(kind) }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((cells) =>
          h(
            'tr',
            {},
            cells.map((cell, at) => h('td', { class: String(columns[at][1]) }, cell)),
          ),
        ),
      ),
    ),
  );
}
