import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

/** One accent for what can be done, neutral greys with a trace of it, and signal colours for states only. */
const accent: MantineColorsTuple = [
  '#eaf8f5',
  '#d2efe9',
  '#a5e0d5',
  '#6fcbbb',
  '#3fb4a2',
  '#1a9886',
  '#0b7a6f',
  '#09665d',
  '#08524b',
  '#073f3a',
];
const gray: MantineColorsTuple = [
  '#f8faf9',
  '#f1f4f3',
  '#e7ebea',
  '#d8dedc',
  '#b7c0be',
  '#8d9896',
  '#5f6b69',
  '#465150',
  '#2b3433',
  '#151b1a',
];
const dark: MantineColorsTuple = [
  '#e4e9e8',
  '#c3cbc9',
  '#98a3a1',
  '#6c7775',
  '#3b4443',
  '#2b3332',
  '#1e2524',
  '#151a19',
  '#101414',
  '#0b0e0e',
];

const FONT = "'Geist Variable', ui-sans-serif, system-ui, sans-serif";
const MONO = "'Geist Mono Variable', ui-monospace, 'SFMono-Regular', Menlo, monospace";

export const theme = createTheme({
  colors: { accent, gray, dark },
  primaryColor: 'accent',
  primaryShade: 6,
  black: '#151b1a',
  fontFamily: FONT,
  fontFamilyMonospace: MONO,
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: {
    fontFamily: FONT,
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.5rem', lineHeight: '1.25' },
      h2: { fontSize: '1.0625rem', lineHeight: '1.35' },
      h3: { fontSize: '0.9375rem', lineHeight: '1.4' },
    },
  },
  defaultRadius: 'md',
  radius: { xs: '4px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'sm' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    Modal: {
      defaultProps: {
        centered: true,
        radius: 'lg',
        overlayProps: { backgroundOpacity: 0.45, blur: 2 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
    },
    Drawer: {
      defaultProps: {
        overlayProps: { backgroundOpacity: 0.45, blur: 2 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
    },
    Menu: {
      defaultProps: {
        shadow: 'md',
        radius: 'md',
        position: 'bottom-end',
        withInitialFocusPlaceholder: false,
      },
    },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250 } },
    Table: { defaultProps: { verticalSpacing: 'sm', horizontalSpacing: 'md' } },
  },
});

/** Text that is not important must still be readable: 4.5 to 1 on every surface. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': gray[6],
    '--mantine-color-placeholder': '#6b7775',
    '--mantine-color-error': '#c92a2a',
    '--mantine-color-anchor': accent[7],
  },
  dark: {
    '--mantine-color-dimmed': dark[2],
    '--mantine-color-placeholder': '#87928f',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-anchor': accent[3],
  },
});
