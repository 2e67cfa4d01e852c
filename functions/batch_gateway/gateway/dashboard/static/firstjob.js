/** The way to a first job, where there are none yet. */

import { button, h } from './dom.js';
import { Card, copy } from './parts.js';

/** @param {{may: import('./rights.js').Rights}} props */
export function FirstJob({ may }) {
  const login = `vbatch login --url ${location.origin}`;
  const run = 'vbatch run prompts.jsonl --model gemini-3.5-flash --out results.jsonl';
  const command = (/** @type {string} */ text) =>
    h(
      'p',
      { class: 'place' },
      h('code', {}, text),
      button('', () => copy(text), {
        symbol: 'copy',
        kind: 'quiet icon-only',
        'aria-label': `Copy: ${text}`,
      }),
    );
  return h(
    Card,
    { title: 'Your first job', kind: 'first-job' },
    h(
      'ol',
      {},
      h(
        'li',
        {},
        h('b', {}, 'A key'),
        may.administer
          ? h(
              'p',
              {},
              h('a', { href: '#/keys' }, 'Make a key'),
              ' for whoever submits jobs, with a budget if you like.',
            )
          : h('p', {}, 'You have one: it is what you signed in with.'),
      ),
      h(
        'li',
        {},
        h('b', {}, 'A file of requests'),
        h(
          'p',
          {},
          h('a', { href: '#/run' }, 'Run a batch from this page'),
          ', use your own client with the gateway’s address, or a terminal:',
        ),
        command(login),
        command(run),
      ),
      h('li', {}, h('b', {}, 'Done'), h('p', {}, 'The job is here within a second, with what it costs.')),
    ),
  );
}
