import { addDays, calendarDay } from '@llm-platform/shared/display/time';

/** Calendar days in the viewer's zone; `until` is exclusive, as the API has it. */
export interface Period {
  since: string;
  until: string;
}

export const PERIODS = [
  { value: '7', label: 'Last 7 days' },
  { value: '30', label: 'Last 30 days' },
  { value: '90', label: 'Last 90 days' },
  { value: 'month', label: 'This month' },
  { value: 'last-month', label: 'Last month' },
  { value: 'custom', label: 'Other days…' },
] as const;

export const firstOfMonth = (day: string): string => `${day.slice(0, 7)}-01`;

/** The days of a choice, seen from `today`. Those of `custom` are the caller's. */
export function periodOf(choice: string, today: string = calendarDay(new Date())): Period {
  const tomorrow = addDays(today, 1);
  if (choice === 'month') return { since: firstOfMonth(today), until: tomorrow };
  if (choice === 'last-month') {
    const until = firstOfMonth(today);
    return { since: firstOfMonth(addDays(until, -1)), until };
  }
  const days = Number(choice);
  return { since: addDays(tomorrow, -(days > 0 ? days : 30)), until: tomorrow };
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Days that were typed or came with an address; the longest is a year. */
export function customPeriod(since: string | null, until: string | null): Period | undefined {
  if (!since || !until || !DAY.test(since) || !DAY.test(until)) return undefined;
  if (Number.isNaN(Date.parse(since)) || Number.isNaN(Date.parse(until))) return undefined;
  return since < until && addDays(since, 367) > until ? { since, until } : undefined;
}
