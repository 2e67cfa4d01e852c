/** Light, dark, or as the system has it. */

import { button } from './dom.js';

const HELD = 'batch-gateway-theme';
const NEXT = { '': 'dark', dark: 'light', light: '' };
const NAMES = { '': 'System', dark: 'Dark', light: 'Light' };
const system = matchMedia('(prefers-color-scheme: dark)');

function held() {
  try {
    return localStorage.getItem(HELD) ?? '';
  } catch {
    return '';
  }
}

function apply(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new Event('themechange'));
}

let theme = NAMES[held()] ? held() : '';
apply(theme);
system.addEventListener('change', () => apply(theme));

export function themeButton() {
  const label = () => `Theme: ${NAMES[theme]}`;
  const control = button(
    '',
    () => {
      theme = NEXT[theme];
      try {
        localStorage.setItem(HELD, theme);
      } catch {
        // It lasts until the page is reloaded.
      }
      apply(theme);
      control.setAttribute('aria-label', label());
      control.title = label();
    },
    { symbol: 'theme', kind: 'quiet icon-only', 'aria-label': label(), title: label() },
  );
  return control;
}
