/** Who is signed in, which view the address names, and the frame around it. */

import { key, whoAmI } from './api.js';
import { button, fill, h, icon } from './dom.js';
import * as estimate from './estimate.js';
import * as job from './job.js';
import * as jobs from './jobs.js';
import * as keys from './keys.js';
import { forgetProblems, watchConnection } from './live.js';
import * as overview from './overview.js';
import { failure } from './parts.js';
import { signIn } from './signin.js';
import { themeButton } from './theme.js';

const VIEWS = {
  overview: { text: 'Overview', show: overview.show, symbol: 'overview' },
  jobs: { text: 'Jobs', show: jobs.show, symbol: 'jobs' },
  keys: { text: 'Keys & teams', show: keys.show, symbol: 'keys', admin: true },
  estimate: { text: 'Estimate', show: estimate.show, symbol: 'estimate' },
};

const page = document.getElementById('page');
let who = null;
let leaving = new AbortController();
let shown = '';

function parsed() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  return { name: name || 'overview', rest, query: new URLSearchParams(search) };
}

function address(name, rest, query) {
  const search = query.toString();
  return `#/${[name, ...rest].join('/')}${search ? `?${search}` : ''}`;
}

function changed(query, changes) {
  const next = new URLSearchParams(query);
  for (const [each, value] of Object.entries(changes)) {
    if (value === null) next.delete(each);
    else next.set(each, value);
  }
  return next;
}

async function open(focus = null) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  forgetProblems();
  const { name, rest, query } = parsed();
  let here = location.hash;
  const found = VIEWS[name] && (!VIEWS[name].admin || who.admin) ? name : 'overview';
  const isJob = found === 'jobs' && rest.length === 3;
  const root = h('div', { class: `view view-${isJob ? 'job' : found}` });
  const main = document.getElementById('main');
  const moved = shown !== `${found}/${rest}`;
  shown = `${found}/${rest}`;
  for (const link of document.querySelectorAll('.nav a')) {
    if (link.hash === `#/${found}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${VIEWS[found].text} · Batch Gateway`;
  fill(main, root);
  if (moved) scrollTo(0, 0);
  const view = {
    who,
    signal,
    query,
    path: rest,
    /** Goes to the same view with another query, as if linked to. */
    go(changes, { replace = false } = {}) {
      const next = address(name, rest, changed(parsed().query, changes));
      if (replace) history.replaceState(null, '', next);
      else history.pushState(null, '', next);
      open(document.activeElement?.id);
    },
    /** Notes in the address what is in sight already; not if somebody is on the way elsewhere. */
    note(changes) {
      if (signal.aborted || location.hash !== here) return;
      const next = address(name, rest, changed(parsed().query, changes));
      if (next !== here) history.replaceState(null, '', next);
      here = location.hash;
    },
  };
  try {
    const showing = (isJob ? job : VIEWS[found]).show(root, view);
    if (moved && document.activeElement === document.body)
      root.querySelector('h1')?.focus({ preventScroll: true });
    if (focus) refocus(focus);
    await showing;
  } catch (error) {
    if (!signal.aborted)
      fill(
        root,
        h('h1', { tabindex: '-1' }, VIEWS[found].text),
        failure(error, () => open()),
      );
  }
}

function refocus(id) {
  const control = document.getElementById(id);
  control?.focus();
  if (control?.matches('input')) control.setSelectionRange?.(control.value.length, control.value.length);
}

function frame() {
  const links = Object.entries(VIEWS)
    .filter(([, view]) => !view.admin || who.admin)
    .map(([name, view]) => h('a', { href: `#/${name}` }, icon(view.symbol), view.text));
  const connection = h('span', { class: 'connection', role: 'status' });
  watchConnection((state) => {
    const text = { live: 'Live', paused: 'Paused' }[state] ?? 'Trying again';
    if (connection.textContent === text) return;
    connection.title =
      state.message ?? { live: 'Kept up to date', paused: 'Not updated while hidden' }[state];
    connection.className = `connection ${state.message ? 'broken' : state}`;
    fill(connection, text);
  });
  fill(
    page,
    h(
      'a',
      {
        class: 'skip',
        href: '#main',
        onclick: (event) => {
          event.preventDefault();
          document.getElementById('main').focus();
        },
      },
      'Skip to the content',
    ),
    h(
      'header',
      { class: 'top' },
      h(
        'a',
        { class: 'brand', href: '#/overview' },
        h('span', { class: 'mark', 'aria-hidden': 'true' }),
        h('b', {}, 'Batch Gateway'),
      ),
      h('nav', { class: 'nav', 'aria-label': 'Views' }, links),
      h(
        'div',
        { class: 'row tools' },
        connection,
        themeButton(),
        h('span', { class: 'who', title: who.team ? `of team ${who.team}` : '' }, who.alias),
        button(h('span', { class: 'wide-only' }, 'Sign out'), () => leave(), {
          symbol: 'out',
          kind: 'quiet',
          'aria-label': 'Sign out',
        }),
      ),
    ),
    h('main', { id: 'main', tabindex: '-1' }),
  );
}

function leave(message = '') {
  leaving.abort();
  // One may show a secret.
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  key.forget();
  who = null;
  shown = '';
  start(message);
}

async function start(message = '') {
  if (key.known && !who) {
    try {
      who = await whoAmI();
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        key.forget();
        return start(error.message);
      }
      fill(
        page,
        h(
          'main',
          { class: 'alone' },
          h('h1', { class: 'unseen' }, 'Batch Gateway'),
          failure(error, () => start()),
        ),
      );
      return undefined;
    }
  }
  if (!who) {
    const main = h('main', { class: 'alone' });
    fill(page, main);
    document.title = 'Sign in · Batch Gateway';
    who = await signIn(main, message);
  }
  frame();
  return open();
}

// A key that was disabled or has expired meanwhile: every call says so, one is enough.
addEventListener('keyrefused', (event) => who && leave(event.detail));
addEventListener('hashchange', () => who && open());
start();
