import { expect, test } from 'vitest';
import { faultCounts, shareWords, youngEntries } from './traffic';

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
  const entry = (replica: string, since: string) => ({ name: 'tail', replica, since });
  const entries = [entry('tail-1', '2026-01-01T00:01:00Z'), entry('tail-2', '2026-01-01T00:40:00Z')];
  const traffic = {
    since: '',
    requests: 0,
    errors: {},
    duration: null,
    first_byte: null,
    entries,
    silent: [],
  };
  expect(youngEntries(traffic, new Date('2026-01-01T01:00:00Z')).map(each => each.replica)).toEqual([
    'tail-2',
  ]);
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
