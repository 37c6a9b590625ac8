import { describe, expect, it } from 'vitest';
import { moved, named, stacked, ticks, totals } from './geometry';
import type { Series } from './series';

const series = (name: string, ...values: bigint[]): Series => ({
  name,
  values,
  total: values.reduce((sum, value) => sum + value, 0n),
});

describe('the axis', () => {
  it.each([
    [0n, [0n]],
    [1n, [0n, 1n]],
    [7n, [0n, 2n, 4n, 6n, 8n]],
    [40n, [0n, 10n, 20n, 30n, 40n]],
    [41n, [0n, 20n, 40n, 60n]],
    [9_007_199_254_740_993n, [0n, 5_000_000_000_000_000n, 10_000_000_000_000_000n]],
  ])('to %s', (most, expected) => expect(ticks(most)).toEqual(expected));

  it('reaches over every value in round steps', () => {
    for (let most = 1n; most < 5000n; most += 7n) {
      const found = ticks(most);
      expect(found.at(-1)! >= most && found.length <= 6).toBe(true);
    }
  });

  it('names days that have room for it', () => {
    expect(named(7, 80, 60)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(named(30, 10, 60)).toEqual([0, 6, 12, 18, 24]);
    expect(named(1, 500, 60)).toEqual([0]);
  });
});

describe('the bars', () => {
  const all = [series('a', 30n, 0n), series('b', 10n, -5n)];

  it('stand on one another and fill what they are of the whole', () => {
    expect(totals(all, 2)).toEqual([40n, 0n]);
    expect(stacked(all, 0, 40n, 200)).toEqual([
      { series: 0, y: 50, height: 150 },
      { series: 1, y: 0, height: 50 },
    ]);
  });

  it('draw nothing for nothing, and nothing for what was given back', () => {
    expect(stacked(all, 1, 40n, 200)).toEqual([]);
  });
});

it.each([
  ['ArrowRight', undefined, 0],
  ['ArrowLeft', undefined, 6],
  ['ArrowRight', 6, 6],
  ['ArrowLeft', 0, 0],
  ['Home', 3, 0],
  ['End', 3, 6],
  ['Tab', 3, undefined],
])('%s from %s leads to %s', (key, from, to) => expect(moved(key, from, 7)).toBe(to));
