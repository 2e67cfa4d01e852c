/** Makes elements. Text is always set as text, so nothing that a caller wrote becomes markup. */

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = {
  overview: 'M3 13h5v7H3zM10 4h5v16h-5zM17 9h4v11h-4z',
  jobs: 'M4 6h16M4 12h16M4 18h16',
  keys: 'M14 10a4 4 0 1 1-3.5-4M11 9l8 8M16 17l2-2M19 20l2-2',
  estimate: 'M6 3h12v18H6zM9 7h6M9 12h1M14 12h1M9 16h1M14 16h1',
  theme: 'M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z',
  out: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  download: 'M12 4v11M8 11l4 4 4-4M5 20h14',
  warn: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  back: 'M14 6l-6 6 6 6',
  next: 'M10 6l6 6-6 6',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
};

/**
 * An element. Properties that begin with "on" are listeners, "style" is an object of custom properties
 * (set through the object model, which the page's policy allows), the rest are attributes; false, null and
 * undefined leave one out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style')
      for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Puts children in place of what an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** A drawing beside a text that says the same. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that does something here. */
export function button(text, onclick, { symbol = null, kind = '', ...rest } = {}) {
  return h(
    'button',
    { type: 'button', class: `button ${kind}`, onclick, ...rest },
    symbol && icon(symbol),
    text,
  );
}

let fields = 0;

/** A control with its label, and a line of help below it. */
export function field(label, control, help = null) {
  fields += 1;
  control.id = control.id || `field-${fields}`;
  const note = help && h('p', { class: 'help', id: `${control.id}-help` }, help);
  if (note) control.setAttribute('aria-describedby', note.id);
  return h('div', { class: 'field' }, h('label', { for: control.id }, label), control, note);
}

/** A select of [value, text] pairs. */
export function select(options, value, properties = {}) {
  const element = h(
    'select',
    properties,
    options.map(([key, text]) => h('option', { value: key }, text)),
  );
  element.value = value;
  return element;
}

/** A table with a caption that only screen readers get. Columns are [heading, class]; rows hold cells. */
export function table(caption, columns, rows, properties = {}) {
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption },
    h(
      'table',
      properties,
      h('caption', { class: 'unseen' }, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(([name, kind]) => h('th', { scope: 'col', class: kind }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((cells) =>
          h(
            'tr',
            {},
            cells.map((cell, at) => h('td', { class: columns[at][1] }, cell)),
          ),
        ),
      ),
    ),
  );
}
