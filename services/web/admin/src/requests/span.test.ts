import { expect, test } from 'vitest';
import { spanOf, SPANS } from './span';

const NOW = new Date(2026, 2, 15, 12, 30, 40);

test('the last hour begins with a whole minute and has no end', () => {
  expect(spanOf('1h', '', '', NOW)).toEqual({ since: new Date(2026, 2, 15, 11, 30).toISOString() });
});

test('days are those of the viewer', () => {
  expect(spanOf('custom', '2026-03-01', '2026-03-02', NOW)).toEqual({
    since: new Date(2026, 2, 1).toISOString(),
    until: new Date(2026, 2, 3).toISOString(),
  });
});

test('every span that is offered begins before now', () => {
  for (const { value } of SPANS)
    expect(Date.parse(spanOf(value, '', '', NOW).since)).toBeLessThan(NOW.getTime());
});
