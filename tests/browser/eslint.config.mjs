import js from '@eslint/js';

const STATIC = '**/dashboard/static/*.js';
/** What browsers offer; types are checked by tsc. */
const NAMES =
  'AbortController Blob BroadcastChannel crypto CustomEvent Event FormData Intl ResizeObserver URL URLSearchParams ' +
  'addEventListener cancelAnimationFrame clearTimeout dispatchEvent document fetch getComputedStyle history ' +
  'localStorage location matchMedia navigator requestAnimationFrame scrollTo sessionStorage setTimeout TextDecoder ' +
  'TransformStream uPlot';

export default [
  js.configs.recommended,
  {
    files: [STATIC],
    languageOptions: { globals: Object.fromEntries(NAMES.split(' ').map((name) => [name, 'readonly'])) },
  },
];
