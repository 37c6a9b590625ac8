import { addDays, calendarDay } from '@llm-platform/shared/display/time';
import { firstOfMonth } from '@llm-platform/shared/display/period';

/** From a day of the viewer's calendar up to a time. */
export interface Span {
  since: string;
  until: string;
}

const DAY_MS = 86_400_000;
const STEP_MS = 300_000;

/** Today and this month so far, and as much of yesterday and of last month; in steps of five minutes. */
export function comparedPeriods(now: Date) {
  const end = new Date(Math.ceil(now.getTime() / STEP_MS) * STEP_MS);
  const today = calendarDay(now);
  const first = firstOfMonth(today);
  const before = firstOfMonth(addDays(first, -1));
  // A shorter month before is taken whole.
  const sameTime = new Date(end);
  sameTime.setDate(1);
  sameTime.setMonth(sameTime.getMonth() - 1);
  const last = new Date(sameTime.getFullYear(), sameTime.getMonth() + 1, 0).getDate();
  sameTime.setDate(Math.min(end.getDate(), last));
  return {
    today: { since: today, until: end.toISOString() },
    yesterday: { since: addDays(today, -1), until: new Date(end.getTime() - DAY_MS).toISOString() },
    month: { since: first, until: end.toISOString() },
    lastMonth: { since: before, until: sameTime.toISOString() },
  };
}
