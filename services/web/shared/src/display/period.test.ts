import { describe, expect, test } from 'vitest';
import { daysOf } from './period';

const NOW = new Date(2026, 2, 15, 12);

describe('periods', () => {
  test('end after today', () => {
    expect(daysOf('7d', '', '', NOW)).toEqual({ since: '2026-03-09', until: '2026-03-16' });
    expect(daysOf('month', '', '', NOW)).toEqual({ since: '2026-03-01', until: '2026-03-16' });
    expect(daysOf('last-month', '', '', NOW)).toEqual({ since: '2026-02-01', until: '2026-03-01' });
  });

  test('of one’s own include the last day', () => {
    expect(daysOf('custom', '2026-01-30', '2026-01-31', NOW)).toEqual({
      since: '2026-01-30',
      until: '2026-02-01',
    });
  });

  test('that are none are the last week', () => {
    for (const [period, since, to] of [
      ['custom', '2026-02-01', '2026-01-01'],
      ['custom', 'x', ''],
      ['custom', '2026-13-45', '2026-13-46'],
      ['custom', '0001-01-01', '9999-12-31'],
      ['?', '', ''],
    ] as const)
      expect(daysOf(period, since, to, NOW).since).toBe('2026-03-09');
  });
});
