/** The sign-in form. */

import { whoAmI } from './api.js';
import { field, h } from './dom.js';
import { useEffect, useRef, useState } from './hooks.module.js';
import { askTabs, drop, keep } from './secret.js';

/**
 * Shows the form until a key is let in. `asks`: a tab in which somebody is signed in may let this one in too.
 * @param {{message: string, asks: boolean, done: (who: import('./api.js').Who) => void}} props
 */
export function SignIn({ message, asks, done }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [problem, setProblem] = useState(message);
  const [busy, setBusy] = useState(false);

  /** @param {string} secret */
  async function enter(secret) {
    setBusy(true);
    keep(secret);
    try {
      done(await whoAmI());
    } catch (error) {
      drop();
      setProblem(/** @type {Error} */ (error).message);
      setBusy(false);
      input.current?.select();
    }
  }

  useEffect(() => {
    document.title = 'Sign in · Batch Gateway';
    input.current?.focus();
    const leaving = new AbortController();
    if (asks) askTabs(enter, leaving.signal);
    return () => leaving.abort();
  }, []);

  /** @param {SubmitEvent} event */
  function submitted(event) {
    event.preventDefault();
    const typed = input.current?.value.trim() ?? '';
    if (typed) enter(typed);
    else setProblem('Paste your API key.');
  }

  return h(
    'main',
    { class: 'alone' },
    h(
      'form',
      { class: 'card door', novalidate: true, onsubmit: submitted },
      h('span', { class: 'mark', 'aria-hidden': 'true' }),
      h('h1', {}, 'Batch Gateway'),
      h('p', { class: 'muted' }, 'See what your batch jobs cost, while they run and after.'),
      field(
        'API key',
        h('input', {
          ref: input,
          type: 'password',
          autocomplete: 'current-password',
          required: true,
          placeholder: 'sk-…',
          spellcheck: false,
        }),
        'Kept for the open tabs of this browser, and forgotten when the last of them is closed.',
      ),
      h('p', { class: 'problem', role: 'alert' }, problem),
      h('button', { type: 'submit', class: 'button primary wide', disabled: busy }, 'Sign in'),
    ),
  );
}
