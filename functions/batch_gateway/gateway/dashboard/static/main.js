/** Who is signed in, which view the address names, and the frame around it. */

import { useAddress } from './address.js';
import { Refusal, whoAmI } from './api.js';
import { Audit } from './audit.js';
import { Bill } from './bill.js';
import { button, h, icon, render } from './dom.js';
import { Estimate } from './estimate.js';
import { useEffect, useLayoutEffect, useRef, useState } from './hooks.module.js';
import { JobPage } from './job.js';
import { Jobs } from './jobs.js';
import { Keys } from './keys.js';
import { useConnection } from './live.js';
import { Overview } from './overview.js';
import { failure } from './parts.js';
import { Prices } from './prices.js';
import { isExact, isLocal, toggle, usePreferences, zoneName } from './preferences.js';
import { Run } from './run.js';
import { drop, dropEverywhere, onSignedOut, secretOf } from './secret.js';
import { SignIn } from './signin.js';
import { ThemeButton } from './theme.js';

/**
 * @typedef {import('./api.js').Who} Who
 * @typedef {{who: Who, query: URLSearchParams, path: string[]}} View what a view is given: who looks, and what the
 *   address says
 * @typedef {(props: View) => import('./dom.js').Children} Show
 */

/** @type {Record<string, {text: string, show: Show, needs?: keyof import('./rights.js').Rights}>} */
const VIEWS = {
  overview: { text: 'Overview', show: Overview },
  jobs: { text: 'Jobs', show: Jobs },
  run: { text: 'Run', show: Run, needs: 'runJobs' },
  estimate: { text: 'Estimate', show: Estimate },
  prices: { text: 'Prices', show: Prices },
  bill: { text: 'Bill', show: Bill, needs: 'seeEverything' },
  keys: { text: 'Keys & teams', show: Keys, needs: 'seeOwners' },
  audit: { text: 'Audit', show: Audit, needs: 'seeEverything' },
};

/** @typedef {{at: 'start'} | {at: 'door', message: string, asks: boolean} | {at: 'in', who: Who}
 *   | {at: 'trouble', error: Error}} State */

function App() {
  const [state, setState] = useState(/** @type {State} */ ({ at: 'start' }));

  /** @param {string} message */
  function leave(message, asks = false) {
    // One may show a secret.
    for (const dialog of document.querySelectorAll('dialog')) dialog.close();
    setState({ at: 'door', message, asks });
  }

  async function start() {
    if (secretOf() === null) return leave('', true);
    try {
      setState({ at: 'in', who: await whoAmI() });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status !== 401 && error.status !== 403) setState({ at: 'trouble', error });
      else {
        drop();
        leave(error.message);
      }
    }
  }

  useEffect(() => {
    start();
    onSignedOut(() => leave(''));
    // A key that was disabled or has expired meanwhile: every call says so, one is enough.
    addEventListener('keyrefused', (event) => {
      if (!document.querySelector('header.top')) return;
      drop();
      leave(/** @type {CustomEvent<string>} */ (event).detail);
    });
    // A role that was changed meanwhile: the page offers what the key may do now.
    addEventListener('rolerefused', () => {
      const held = secretOf();
      whoAmI().then(
        (who) => held === secretOf() && setState({ at: 'in', who }),
        () => {},
      );
    });
  }, []);

  if (state.at === 'door')
    return h(SignIn, { ...state, done: (/** @type {Who} */ who) => setState({ at: 'in', who }) });
  if (state.at === 'in') {
    const out = () => {
      dropEverywhere();
      leave('');
    };
    return h(Frame, { who: state.who, out });
  }
  return h(
    'main',
    { class: 'alone' },
    h('h1', { class: state.at === 'trouble' ? 'unseen' : 'boot' }, 'Batch Gateway'),
    state.at === 'trouble' && failure(state.error, start),
  );
}

/** @param {{who: Who, out: () => void}} props */
function Frame({ who, out }) {
  usePreferences();
  const { name, path, query } = useAddress();
  const shown = Object.entries(VIEWS).filter(([, { needs }]) => !needs || who.may[needs]);
  const found = shown.some(([each]) => each === name) ? name : 'overview';
  const isJob = found === 'jobs' && path.length === 3;
  const place = [found, ...path].join('/');
  const links = shown.map(([each, view]) =>
    h('a', { href: `#/${each}`, 'aria-current': each === found ? 'page' : undefined }, icon(each), view.text),
  );
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const nav = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    document.title = `${VIEWS[found].text} · Batch Gateway`;
    scrollTo(0, 0);
    // On a phone not all of them are in sight.
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (document.activeElement === document.body)
      main.current?.querySelector('h1')?.focus({ preventScroll: true });
  }, [place]);
  const skip = (/** @type {Event} */ event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return [
    h('a', { class: 'skip', href: '#main', onclick: skip }, 'Skip to the content'),
    h(
      'header',
      { class: 'top' },
      h(
        'a',
        { class: 'brand', href: '#/overview' },
        h('span', { class: 'mark', 'aria-hidden': 'true' }),
        h('b', {}, 'Batch Gateway'),
      ),
      h('nav', { class: 'nav', 'aria-label': 'Views', ref: nav }, links),
      h(
        'div',
        { class: 'row tools' },
        h(Connection, {}),
        button('Exact', () => toggle('exact'), {
          kind: 'quiet',
          'aria-label': 'Exact amounts',
          'aria-pressed': String(isExact()),
          title: 'Show amounts with all their digits',
        }),
        button(zoneName(), () => toggle('local'), {
          kind: 'quiet',
          symbol: 'clock',
          'aria-label': `Times in ${zoneName()}. Change to ${isLocal() ? 'UTC' : 'local time'}`,
          title: `All times are in ${zoneName()}. Budgets always go by UTC.`,
        }),
        h(ThemeButton, {}),
        h('span', { class: 'who', title: who.team ? `of team ${who.team}` : '' }, who.alias),
        !who.may.runJobs &&
          h(
            'span',
            { class: 'badge', title: 'This key has the role “viewer”: it changes nothing.' },
            'Read only',
          ),
        button(h('span', { class: 'wide-only' }, 'Sign out'), out, {
          symbol: 'out',
          kind: 'quiet',
          'aria-label': 'Sign out',
        }),
      ),
    ),
    h(
      'main',
      { id: 'main', tabindex: -1, ref: main },
      h(
        'div',
        { class: `view view-${isJob ? 'job' : found}`, key: place },
        h(isJob ? JobPage : VIEWS[found].show, { who, query, path }),
      ),
    ),
  ];
}

function Connection() {
  const state = useConnection();
  const broken = typeof state !== 'string';
  const text = broken ? 'Trying again' : state === 'live' ? 'Live' : 'Paused';
  const title = broken ? state.message : state === 'live' ? 'Kept up to date' : 'Not updated while hidden';
  return h('span', { class: `connection ${broken ? 'broken' : state}`, role: 'status', title }, text);
}

const page = /** @type {HTMLElement} */ (document.getElementById('page'));
page.replaceChildren();
render(h(App, {}), page);
