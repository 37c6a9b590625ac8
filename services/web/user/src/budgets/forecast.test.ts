import type { Budget } from '@llm-platform/shared';
import { expect, it } from 'vitest';
import { forecast } from './forecast';

const budget = (spent: string, window = true) =>
  ({
    spent,
    limit: '100',
    window_starts_at: window ? '2026-11-01T00:00:00Z' : '',
    window_ends_at: window ? '2026-12-01T00:00:00Z' : '',
  }) as Budget;
const on = (day: number) => new Date(Date.UTC(2026, 10, day));

it('goes on at the pace so far', () => expect(forecast(budget('30'), on(16))).toEqual({ projected: 60n }));

it('says when it will be used up', () =>
  expect(forecast(budget('80'), on(16))).toEqual({
    projected: 160n,
    exhaustedAt: new Date('2026-11-19T18:00:00Z'),
  }));

it('names no day for what is used up already', () =>
  expect(forecast(budget('120'), on(16))).toEqual({ projected: 240n }));

it('is silent where nothing can be told', () => {
  expect(forecast(budget('1', false), on(16))).toBeUndefined();
  expect(forecast(budget('1'), new Date('2026-11-01T01:00:00Z'))).toBeUndefined();
  expect(forecast(budget('1'), new Date('2026-12-02T00:00:00Z'))).toBeUndefined();
});
