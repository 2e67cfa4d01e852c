/** Parts of every view: cards that load, fail or are empty; dialogs; messages; copied text. */

import { button, h, icon, render } from './dom.js';
import { useLayoutEffect, useRef, useState } from './hooks.module.js';
import { mayPass } from './live.js';
import { ProblemOfForm, useProblem } from './problems.js';

/** @typedef {import('./dom.js').Children} Children */

/**
 * Returns a card for what is loaded.
 * @template T
 * @param {{
 *   title: string, actions?: Children, kind?: string, note?: Children, lead?: Children, lines?: number,
 *   from: import('./live.js').Polled<T>, draw: (data: T) => Children,
 * }} props
 */
export function loadedCard(props) {
  return h(/** @type {any} */ (Card), props);
}

/**
 * Shows a titled section. With `from`, its content is `draw(data)` once there is data; until then it says that it
 * loads, or why it could not. What is there already is not taken away by an error. `lead` stands before it, also
 * while it loads.
 *
 * @param {{
 *   title: string, actions?: Children, kind?: string, note?: Children, lead?: Children, lines?: number,
 *   from?: import('./live.js').Polled<unknown>, draw?: (data: unknown) => Children, children?: Children,
 * }} props
 */
export function Card({ title, actions, kind = '', note, lead, lines = 3, from, draw, children }) {
  let content = children;
  const waits = from !== undefined && from.data === null && from.error === null;
  if (from && from.data !== null) content = draw?.(from.data);
  else if (from?.error) content = failure(from.error, from.again);
  else if (from) content = skeleton(lines);
  return h(
    'section',
    { class: `card ${kind}`, 'aria-label': title, 'aria-busy': waits ? 'true' : undefined },
    h(
      'header',
      { class: 'card-head' },
      h('h2', {}, title),
      note && h('p', { class: 'note' }, note),
      actions && h('div', { class: 'card-actions' }, actions),
    ),
    h('div', { class: 'card-body' }, lead, content),
  );
}

/** @param {number} lines */
export function skeleton(lines) {
  const widths = ['92%', '78%', '85%', '64%'];
  return h(
    'div',
    { class: 'skeleton' },
    h('span', { class: 'unseen' }, 'Loading'),
    Array.from({ length: lines }, (_, at) => h('i', { style: { '--width': widths[at % widths.length] } })),
  );
}

/**
 * @param {Error} error
 * @param {(() => unknown) | null} again
 * @param {string} title
 */
export function failure(error, again = null, title = 'This could not be loaded') {
  return h(
    'div',
    { class: 'state bad', role: 'alert' },
    icon('warn'),
    h('p', { class: 'state-title' }, title),
    h('p', {}, error.message),
    again && mayPass(error) && button('Try again', again),
  );
}

/**
 * @param {string} title
 * @param {Children} text
 * @param {Children[]} more
 */
export function empty(title, text, ...more) {
  return h('div', { class: 'state' }, h('p', { class: 'state-title' }, title), h('p', {}, text), more);
}

/**
 * @typedef {(name: string) => string} Values reads what was typed into a field, by its name, without spaces around it
 * @typedef {{
 *   action: string, kind?: string, cancel?: string | null, submit?: (values: Values) => Promise<unknown> | unknown,
 * }} Question
 */

/**
 * Opens a dialog with a form; resolves when it is closed, to whether it was submitted. `submit` may throw, which is
 * shown in it, at the field that it is about. One without `cancel` is closed by its action only, not by Esc.
 *
 * @param {string} title
 * @param {Children} content
 * @param {Question} question
 * @returns {Promise<boolean>}
 */
export function ask(title, content, question) {
  const place = document.createElement('div');
  document.body.append(place);
  return new Promise((resolve) => {
    const closed = (/** @type {boolean} */ done) => {
      render(null, place);
      place.remove();
      resolve(done);
    };
    render(h(Dialog, { title, content, question, closed }), place);
  });
}

/** @param {{title: string, content: Children, question: Question, closed: (done: boolean) => void}} props */
function Dialog({ title, content, question, closed }) {
  const { action, kind = 'primary', cancel = 'Cancel', submit = () => {} } = question;
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const { form, setError, ofField, ofForm } = useProblem();
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => dialog.current?.showModal(), []);

  /** @param {SubmitEvent} event */
  async function submitted(event) {
    event.preventDefault();
    const typed = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    setBusy(true);
    setError(null);
    try {
      await submit((name) => String(typed.get(name) ?? '').trim());
      dialog.current?.close('done');
    } catch (error) {
      setError(/** @type {Error} */ (error));
      setBusy(false);
    }
  }

  // Browsers close a dialog on a second Esc whatever `cancel` says, unless they do not get to see the key.
  const kept = (/** @type {KeyboardEvent} */ event) => {
    if (!cancel && event.key === 'Escape') event.preventDefault();
  };
  return h(
    'dialog',
    {
      ref: dialog,
      'aria-labelledby': 'dialog-title',
      onkeydown: kept,
      oncancel: (/** @type {Event} */ event) => cancel || event.preventDefault(),
      onclose: () => closed(dialog.current?.returnValue === 'done'),
    },
    h(
      'form',
      { ref: form, method: 'dialog', novalidate: true, onsubmit: submitted },
      h('h2', { id: 'dialog-title' }, title),
      h(ProblemOfForm.Provider, { value: ofField }, content),
      h(
        'div',
        { class: 'foot' },
        h('p', { class: 'problem', role: 'alert' }, ofForm),
        h(
          'div',
          { class: 'row end' },
          cancel && button(cancel, () => dialog.current?.close()),
          h('button', { type: 'submit', class: `button ${kind}`, disabled: busy }, action),
        ),
      ),
    ),
  );
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let speaking;

/**
 * Shows a short message at the edge of the page, which is read out too.
 * @param {string} text
 */
export function say(text) {
  const place = /** @type {HTMLElement} */ (document.getElementById('messages'));
  clearTimeout(speaking);
  render(h('p', {}, text), place);
  speaking = setTimeout(() => render(null, place), 6000);
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the permission, or on a page without TLS, the old way.
    const area = document.createElement('textarea');
    area.readOnly = true;
    area.className = 'unseen';
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  say('Copied.');
}
