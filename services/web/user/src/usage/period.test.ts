import { expect, it } from 'vitest';
import { customPeriod, periodOf } from './period';

it.each([
  ['7', '2026-03-02', '2026-02-24', '2026-03-03'],
  ['month', '2026-03-31', '2026-03-01', '2026-04-01'],
  ['last-month', '2026-01-15', '2025-12-01', '2026-01-01'],
  ['nonsense', '2026-03-02', '2026-02-01', '2026-03-03'],
])('%s, seen from %s, is %s to %s', (choice, today, since, until) =>
  expect(periodOf(choice, today)).toEqual({ since, until }),
);

it('takes days that make sense', () => {
  expect(customPeriod('2026-01-01', '2026-02-01')).toEqual({ since: '2026-01-01', until: '2026-02-01' });
  expect(customPeriod('2026-02-01', '2026-01-01')).toBeUndefined();
  expect(customPeriod('2024-01-01', '2026-01-01')).toBeUndefined();
  expect(customPeriod('2026-13-45', '2026-14-01')).toBeUndefined();
  expect(customPeriod(null, '2026-01-01')).toBeUndefined();
});
