/** Times come as RFC 3339 in UTC and are shown in the viewer's zone. */

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

export const viewerZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** "3 hours ago", "in 2 days". */
export function relative(time: string, now: Date, locale?: string): string {
  const seconds = (new Date(time).getTime() - now.getTime()) / 1000;
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  }
  return Math.abs(seconds) < 10 ? 'just now' : words.format(Math.round(seconds), 'second');
}

/** The full time with its zone, for titles. */
export function absolute(time: string, zone?: string, locale?: string): string {
  return new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'long',
    ...(zone && { timeZone: zone }),
  }).format(new Date(time));
}

/** A date as the API wants it: 2026-01-31 in the zone. */
export function calendarDay(time: Date, zone: string = viewerZone()): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' }).format(time);
}

/** `days` later (or earlier) on the calendar, whatever the clocks do. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** "31 Jan" of a calendar day, which has no zone. */
export function shortDay(day: string, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(
    new Date(`${day}T00:00:00Z`),
  );
}

/** Every calendar day from `first` up to but not including `end`. */
export function daysBetween(first: string, end: string): string[] {
  const days: string[] = [];
  for (let day = first; day < end; day = addDays(day, 1)) days.push(day);
  return days;
}
