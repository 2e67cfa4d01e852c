/** The door. */

import { key, whoAmI } from './api.js';
import { field, fill, h } from './dom.js';

/** Shows the form until a key is let in; resolves to whom it stands for. */
export function signIn(root, message = '') {
  const secret = h('input', {
    type: 'password',
    autocomplete: 'current-password',
    required: true,
    placeholder: 'sk-…',
    spellcheck: 'false',
  });
  const problem = h('p', { class: 'problem', role: 'alert' }, message);
  const go = h('button', { type: 'submit', class: 'button primary wide' }, 'Sign in');
  const form = h(
    'form',
    { class: 'card door', novalidate: true },
    h('span', { class: 'mark', 'aria-hidden': 'true' }),
    h('h1', {}, 'Batch Gateway'),
    h('p', { class: 'muted' }, 'What your batch jobs cost, while they run and after.'),
    field('API key', secret, 'Kept in this tab only, and forgotten when it is closed.'),
    problem,
    go,
  );
  fill(root, form);
  secret.focus();
  return new Promise((resolve) => {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (!secret.value.trim()) {
        fill(problem, 'Paste your API key.');
        return;
      }
      go.disabled = true;
      key.set(secret.value.trim());
      try {
        resolve(await whoAmI());
      } catch (error) {
        key.forget();
        fill(problem, error.message);
        go.disabled = false;
        secret.select();
      }
    });
  });
}
