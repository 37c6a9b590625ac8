import { expect, test } from 'vitest';
import { comparedPeriods } from './periods';

test('as much of last month as there was of this one', () => {
  const { month, lastMonth, today, yesterday } = comparedPeriods(new Date(2026, 2, 31, 10, 2));
  expect(month.since).toBe('2026-03-01');
  expect(lastMonth.since).toBe('2026-02-01');
  expect(new Date(lastMonth.until).getDate()).toBe(28);
  expect(today.since).toBe('2026-03-31');
  expect(yesterday.since).toBe('2026-03-30');
  expect(new Date(today.until).getMinutes()).toBe(5);
});
