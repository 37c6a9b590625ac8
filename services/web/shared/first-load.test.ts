import { expect, it } from 'vitest';
import { compressed, firstLoaded, type Script } from './first-load';

const script = (fileName: string, more: Partial<Script> = {}): Script => ({
  fileName,
  code: fileName,
  imports: [],
  isEntry: false,
  facadeModuleId: null,
  ...more,
});

it('counts the entry, the first page and all that they import, once', () => {
  const scripts = [
    script('index.js', { isEntry: true, imports: ['shared.js'] }),
    script('overview.js', { facadeModuleId: '/x/src/overview/OverviewPage.tsx', imports: ['chart.js'] }),
    script('chart.js', { imports: ['shared.js', 'index.js'] }),
    script('shared.js'),
    script('keys.js', { facadeModuleId: '/x/src/keys/KeysPage.tsx', imports: ['select.js'] }),
    script('select.js'),
  ];
  expect(firstLoaded(scripts).map(one => one.fileName)).toEqual([
    'index.js',
    'overview.js',
    'shared.js',
    'chart.js',
  ]);
});

it('measures what is sent', () => {
  expect(compressed([script('a.js', { code: 'x'.repeat(10_000) })])).toBeLessThan(100);
});
