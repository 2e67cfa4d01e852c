/** Where a job's data is: URIs to copy, and Google's pages that show what is there. */

import { button, h } from './dom.js';
import { copy } from './parts.js';

const CONSOLE = 'https://console.cloud.google.com';

/**
 * Returns the address of the Cloud console's page about a file, folder or table; null for anything else.
 * @param {string} uri
 */
function consoleOf(uri) {
  const [, scheme, rest] = /^(gs|bq):\/\/(.+)$/.exec(uri) ?? [];
  if (scheme === 'gs') {
    const [bucket, ...path] = rest.split('/').map(encodeURIComponent);
    const isFile = path.length > 0 && /\.\w+$/.test(path[path.length - 1]);
    return `${CONSOLE}/storage/browser/${isFile ? '_details/' : ''}${[bucket, ...path].join('/')}`;
  }
  if (scheme === 'bq') {
    const [p = '', d = '', t = ''] = rest.split('.');
    return `${CONSOLE}/bigquery?${new URLSearchParams({ p, d, ...(t && { t }), page: t ? 'table' : 'dataset' })}`;
  }
  return null;
}

/**
 * Returns the address of the Cloud console's page about a job, as Google's own Python SDK prints it.
 * @param {string[]} job project, location and id
 */
export function consoleOfJob([project, location, id]) {
  const [inProject, at, job] = [project, location, id].map(encodeURIComponent);
  return `${CONSOLE}/ai/platform/locations/${at}/batch-predictions/${job}?project=${inProject}`;
}

/**
 * Returns a link that leaves the page, for those who have a Google identity.
 * @param {string} href
 * @param {import('./dom.js').Children} text
 */
export function away(href, text) {
  return h(
    'a',
    { href, target: '_blank', rel: 'noreferrer' },
    text,
    h('span', { class: 'unseen' }, ' (new tab)'),
  );
}

/**
 * Returns a URI with its page in the console and a button that copies it.
 * @param {string} uri
 */
export function place(uri) {
  const href = consoleOf(uri);
  return h(
    'span',
    { class: 'place' },
    href ? away(href, uri) : uri,
    button('', () => copy(uri), {
      symbol: 'copy',
      kind: 'quiet icon-only',
      'aria-label': `Copy ${uri}`,
      title: 'Copy the URI',
    }),
  );
}
