/** A field for a day or a moment that takes effect at once, though not while somebody types. */

import { h } from './dom.js';
import { useLayoutEffect, useRef } from './hooks.module.js';

/** Before any job. What is typed of a year is less: 2, 20, 202. */
const FIRST = '2000-01-01T00:00';
/** Years have four digits. */
const LAST = '9999-12-31T23:59';
const LENGTHS = { date: 10, 'datetime-local': 16 };

/**
 * Shows a date that can be typed or picked. Chromium changes the value with every key that makes some date of it, so
 * that what is typed takes effect on Enter, or when the field is left; what is picked in the calendar does at once.
 * Only a whole date within the bounds takes effect: another one stays until the field is left, and then gives way to
 * `value`.
 *
 * @param {{
 *   type: 'date' | 'datetime-local', value: string, chosen: (value: string) => void, max?: string, required?: boolean,
 *   title?: string, 'aria-label': string,
 * }} props `value` is empty for none; `chosen` gets what takes effect, which is empty only if it is not `required`
 */
export function DateField({ type, value, chosen, ...rest }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const settled = useRef(value);
  const typing = useRef(false);
  const isTouched = (/** @type {HTMLInputElement} */ field) =>
    field.value !== settled.current || field.validity.badInput;

  // Not as a property, which every redrawing would set again.
  useLayoutEffect(() => {
    const field = /** @type {HTMLInputElement} */ (input.current);
    if (document.activeElement !== field || !isTouched(field)) field.value = value;
    settled.current = value;
  }, [value]);

  function settle() {
    typing.current = false;
    const field = input.current;
    // A field that is taken off the page loses the focus too.
    if (!field || !isTouched(field) || !field.validity.valid) return;
    settled.current = field.value;
    chosen(field.value);
  }

  return h('input', {
    min: FIRST.slice(0, LENGTHS[type]),
    max: LAST.slice(0, LENGTHS[type]),
    ...rest,
    ref: input,
    type,
    onpointerdown: () => {
      typing.current = false;
    },
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      typing.current = true;
      if (event.key !== 'Enter') return;
      settle();
      input.current?.reportValidity();
    },
    onchange: () => typing.current || settle(),
    onblur: () => {
      settle();
      if (input.current && isTouched(input.current)) input.current.value = settled.current;
    },
  });
}
