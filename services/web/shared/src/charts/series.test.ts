import { expect, it } from 'vitest';
import type { UsageRow } from '../api/types';
import { seriesByDay } from './series';

const row = (day: string, model: string, cost: string): UsageRow => ({
  day,
  model,
  cost,
  key_id: '',
  provider: '',
  requests: '1',
  user_id: '',
  team_id: '',
  organization_id: '',
  adjusted: '0',
});
const DAYS = ['2026-11-01', '2026-11-02'];

it('fills days, sums exactly, and has the largest first', () => {
  const rows = [
    row('2026-11-01', 'small', '1'),
    row('2026-11-02', 'large', '9007199254740993'),
    row('2026-11-02', 'large', '1'),
    row('2026-10-31', 'large', '5'),
  ];
  expect(seriesByDay(rows, DAYS, r => r.model, 'cost')).toEqual([
    { name: 'large', values: [0n, 9007199254740994n], total: 9007199254740994n },
    { name: 'small', values: [1n, 0n], total: 1n },
  ]);
  expect(seriesByDay(rows, DAYS, () => 'all', 'requests')[0]!.values).toEqual([1n, 2n]);
});

it('sums up what is too much for a legend', () => {
  const rows = ['a', 'b', 'c', 'd'].map((model, at) => row('2026-11-01', model, String(10 - at)));
  const series = seriesByDay(rows, DAYS, r => r.model, 'cost', 2);
  expect(series.map(one => one.name)).toEqual(['a', 'b', '2 others']);
  expect(series[2]!.total).toBe(15n);
});
