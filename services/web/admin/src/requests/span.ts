import { daysOf, PERIODS, startOfDay } from '@llm-platform/shared/display/period';

const MINUTE_MS = 60_000;
const LAST: Record<string, number> = { '15m': 15, '1h': 60, '6h': 360, '24h': 1440 };

export const SPANS = [
  { value: '15m', label: 'Last 15 minutes' },
  { value: '1h', label: 'Last hour' },
  { value: '6h', label: 'Last 6 hours' },
  { value: '24h', label: 'Last 24 hours' },
  ...PERIODS.filter(({ value }) => value !== 'today'),
];

/** RFC 3339 of the beginning and end; until now has no end. */
export function spanOf(
  period: string,
  since: string,
  to: string,
  now = new Date(),
): { since: string; until?: string } {
  const minutes = LAST[period];
  if (minutes) {
    const minute = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS;
    return { since: new Date(minute - minutes * MINUTE_MS).toISOString() };
  }
  const days = daysOf(period, since, to, now);
  return { since: startOfDay(days.since), until: startOfDay(days.until) };
}
