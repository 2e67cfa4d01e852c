/** Light, dark, or as the system has it. */

import { button } from './dom.js';
import { useState } from './hooks.module.js';

const HELD = 'batch-gateway-theme';
/** @type {Record<string, string>} */
const NEXT = { '': 'dark', dark: 'light', light: '' };
/** @type {Record<string, string>} */
const NAMES = { '': 'System', dark: 'Dark', light: 'Light' };
const system = matchMedia('(prefers-color-scheme: dark)');

function held() {
  try {
    return localStorage.getItem(HELD) ?? '';
  } catch {
    return '';
  }
}

/** @param {string} chosen */
function apply(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new Event('themechange'));
}

let theme = NAMES[held()] ? held() : '';
apply(theme);
system.addEventListener('change', () => apply(theme));

export function ThemeButton() {
  const [shown, setShown] = useState(theme);
  const label = `Theme: ${NAMES[shown]}`;
  const change = () => {
    theme = NEXT[theme];
    try {
      localStorage.setItem(HELD, theme);
    } catch {
      // It lasts until the page is reloaded.
    }
    apply(theme);
    setShown(theme);
  };
  return button('', change, { symbol: 'theme', kind: 'quiet icon-only', 'aria-label': label, title: label });
}
