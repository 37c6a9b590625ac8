import { expect, it } from 'vitest';
import { limitProblem, limitsOf, limitsText, NO_LIMITS } from './limits';

it('leaves out what has no limit, and gives back what it was given', () => {
  const limits = {
    requests_per_minute: 60,
    tokens_per_minute: '9007199254740993',
    concurrency: 0,
    requests_burst: 0,
    tokens_burst: '0',
  };
  const text = limitsText(limits);
  expect(text).toEqual({ ...NO_LIMITS, requests_per_minute: '60', tokens_per_minute: '9007199254740993' });
  expect(limitsOf(text)).toEqual(limits);
  expect(limitsText(undefined)).toEqual(NO_LIMITS);
});

it.each([
  ['requests_per_minute', '', true],
  ['requests_per_minute', '1,000', true],
  ['requests_per_minute', '-1', false],
  ['requests_per_minute', '1e3', false],
  ['requests_per_minute', '4294967296', false],
  ['tokens_per_minute', '4294967296', true],
] as const)('%s "%s" is good: %s', (name, value, good) =>
  expect(limitProblem(name, value) === null).toBe(good),
);
