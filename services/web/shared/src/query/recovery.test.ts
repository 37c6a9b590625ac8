import { expect, it } from 'vitest';
import { Problem } from '../api/problem';
import { live, untilBack } from './recovery';

const failed = (error: unknown) => ({ state: { error } }) as Parameters<typeof untilBack>[0];
const away = new Problem(503, {});

it('asks again soon while something is away, and not after another failure', () => {
  expect(untilBack(failed(away))).toBeGreaterThan(0);
  expect(untilBack(failed(new Problem(404, {})))).toBe(false);
  expect(untilBack(failed(null))).toBe(false);
  expect(live(60_000)(failed(null))).toBe(60_000);
  expect(live(60_000)(failed(away))).toBeLessThan(60_000);
  expect(live(false)(failed(null))).toBe(false);
});
