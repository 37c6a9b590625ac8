import { expect, test } from 'vitest';
import { entry } from './entry.fixture';
import { summarize } from './ledger';

test('a request costs what was settled and corrected', () => {
  const summary = summarize([
    entry('reserve', { amount: '900' }),
    entry('settle', { amount: '100', result: 'failed', certainty: 'exact' }),
    entry('settle', { amount: '50', result: 'completed', certainty: 'exact', provider: 'other' }),
    entry('release', { amount: '900', created_at: '2026-01-01T00:00:01.500Z' }),
    entry('adjust', { amount: '-20', created_at: '2026-01-02T00:00:00.000Z' }),
  ]);
  expect(summary).toMatchObject({
    cost: 130n,
    attempts: 2,
    result: 'completed',
    provider: 'other',
    route: ['echo', 'other'],
    open: false,
  });
});

test('a request whose reservation was not given back is under way', () => {
  expect(summarize([entry('reserve')])).toMatchObject({ open: true, attempts: 0, route: [] });
});
