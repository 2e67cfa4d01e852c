/** What every view is made of: cards that load, fail or are empty; dialogs; files; copied text. */

import { button, fill, h, icon } from './dom.js';

/** A titled section with a place for its content, which says what it is doing while there is none. */
export function card(title, { actions = [], kind = '', note = null } = {}) {
  const body = h('div', { class: 'card-body' });
  const extra = h('div', { class: 'card-actions' }, actions);
  const element = h(
    'section',
    { class: `card ${kind}`, 'aria-label': title },
    h('header', { class: 'card-head' }, h('h2', {}, title), note && h('p', { class: 'note' }, note), extra),
    body,
  );
  let filled = false;
  const shown = {
    element,
    body,
    /** Content; from then on an error does not take it away. */
    fill(...children) {
      filled = true;
      element.removeAttribute('aria-busy');
      fill(body, ...children);
    },
    loading(lines = 3) {
      filled = false;
      element.setAttribute('aria-busy', 'true');
      fill(body, skeleton(lines));
    },
    failed(error, again) {
      if (filled) return;
      element.removeAttribute('aria-busy');
      fill(body, failure(error, again));
    },
  };
  shown.loading();
  return shown;
}

export function skeleton(lines) {
  const widths = ['92%', '78%', '85%', '64%'];
  return h(
    'div',
    { class: 'skeleton' },
    h('span', { class: 'unseen' }, 'Loading'),
    Array.from({ length: lines }, (_, at) => h('i', { style: { '--width': widths[at % widths.length] } })),
  );
}

export function failure(error, again) {
  return h(
    'div',
    { class: 'state bad', role: 'alert' },
    icon('warn'),
    h('p', { class: 'state-title' }, 'This could not be loaded'),
    h('p', {}, error.message),
    again && button('Try again', again),
  );
}

export function empty(title, text, ...more) {
  return h('div', { class: 'state' }, h('p', { class: 'state-title' }, title), h('p', {}, text), more);
}

/** Opens a dialog with a form; resolves when it is closed. `submit` may throw, which is shown in it. */
export function ask(
  title,
  content,
  { action, kind = 'primary', cancel = 'Cancel', submit = async () => {} },
) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const go = h('button', { type: 'submit', class: `button ${kind}` }, action);
  const form = h(
    'form',
    { method: 'dialog', novalidate: true },
    h('h2', { id: 'dialog-title' }, title),
    content,
    problem,
    h('div', { class: 'row end' }, cancel && button(cancel, () => dialog.close()), go),
  );
  const dialog = h('dialog', { 'aria-labelledby': 'dialog-title' }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      go.disabled = true;
      fill(problem);
      try {
        await submit();
        dialog.close('done');
      } catch (error) {
        fill(problem, error.message);
        go.disabled = false;
      }
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'done');
    });
    dialog.showModal();
  });
}

let speaking = null;

/** A short message at the edge of the page, read out too. */
export function say(text) {
  const place = document.getElementById('messages');
  clearTimeout(speaking);
  fill(place, h('p', {}, text));
  speaking = setTimeout(() => fill(place), 6000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the permission, or on a page without TLS, the old way.
    const area = h('textarea', { readonly: true, class: 'unseen' });
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  say('Copied.');
}

export function download(blob, name) {
  const link = h('a', { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A spreadsheet must not run what somebody named a job. */
function cell(value) {
  const text = String(value ?? '');
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function downloadCsv(rows, name) {
  const text = rows.map((row) => row.map(cell).join(',')).join('\r\n');
  download(new Blob([`${text}\r\n`], { type: 'text/csv;charset=utf-8' }), name);
}
