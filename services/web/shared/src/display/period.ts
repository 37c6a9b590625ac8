import { addDays, calendarDay } from './time';

export const PERIODS = [
  { value: 'today', label: 'Today' },
  { value: '7d', label: 'Last 7 days' },
  { value: '30d', label: 'Last 30 days' },
  { value: 'month', label: 'This month' },
  { value: 'last-month', label: 'Last month' },
  { value: '90d', label: 'Last 90 days' },
  { value: 'custom', label: 'From … to …' },
] as const;

/** Calendar days in the viewer's zone; `until` is the day after the last. */
export interface Days {
  since: string;
  until: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** Ten years: an address may name any days, and each is drawn. */
const MOST_DAYS = 3653;

const isDay = (text: string): boolean => DAY.test(text) && !Number.isNaN(Date.parse(text));

/** The days that a period's name means today. A custom one has `since` and the last day, `to`. */
export function daysOf(period: string, since = '', to = '', now = new Date()): Days {
  const today = calendarDay(now);
  const tomorrow = addDays(today, 1);
  switch (period) {
    case 'today':
      return { since: today, until: tomorrow };
    case '30d':
      return { since: addDays(today, -29), until: tomorrow };
    case '90d':
      return { since: addDays(today, -89), until: tomorrow };
    case 'month':
      return { since: firstOfMonth(today), until: tomorrow };
    case 'last-month': {
      const until = firstOfMonth(today);
      return { since: firstOfMonth(addDays(until, -1)), until };
    }
    case 'custom':
      if (isDay(since) && isDay(to) && since <= to && to < addDays(since, MOST_DAYS))
        return { since, until: addDays(to, 1) };
  }
  return { since: addDays(today, -6), until: tomorrow };
}

export const firstOfMonth = (day: string): string => `${day.slice(0, 8)}01`;

/** RFC 3339 of the beginning of a calendar day in the viewer's zone. */
export const startOfDay = (day: string): string => new Date(`${day}T00:00:00`).toISOString();
