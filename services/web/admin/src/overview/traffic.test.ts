import { expect, test } from 'vitest';
import { countedWords, faultCounts, shareWords } from './traffic';

test('every fault is named, also those of a newer release', () => {
  const counts = faultCounts({ caller: 3, weather: 1 });
  expect(counts.map(({ fault, count }) => [fault, count])).toEqual([
    ['caller', 3],
    ['policy', 0],
    ['platform', 0],
    ['provider', 0],
    ['weather', 1],
  ]);
});

test('a replica that began lately is said', () => {
  const at = (minute: number) => new Date(2026, 0, 1, 9, minute).toISOString();
  const traffic = (...began: number[]) => ({
    since: at(Math.min(...began)),
    requests: 0,
    errors: {},
    duration: null,
    first_byte: null,
    entries: began.map((minute, number) => ({
      name: 'tail',
      replica: `tail-${number + 1}`,
      since: at(minute),
    })),
    silent: [],
  });
  const now = new Date(2026, 0, 1, 10);
  expect(countedWords(traffic(0, 1), now, 'en-GB')).toBe('Counted by tail-1, tail-2.');
  expect(countedWords(traffic(0, 40), now, 'en-GB')).toBe('Counted by tail-1, tail-2; tail-2 since 09:40.');
  expect(countedWords(traffic(50, 40), now, 'en-GB')).toBe('Since 09:40, counted by tail-1, tail-2.');
});

test('shares are of requests', () => {
  expect([
    shareWords(0, 10),
    shareWords(0, 0),
    shareWords(1, 40),
    shareWords(1, 4),
    shareWords(1, 5000),
  ]).toEqual(['None failed', 'None failed', '2.5 % failed', '25 % failed', 'Less than 0.1 % failed']);
});
