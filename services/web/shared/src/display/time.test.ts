import { describe, expect, it } from 'vitest';
import { absolute, addDays, calendarDay, daysBetween, relative, shortDay } from './time';

const NOW = new Date('2026-11-21T20:00:00Z');

describe('time', () => {
  it.each([
    ['2026-11-21T19:59:55Z', 'just now'],
    ['2026-11-21T19:59:20Z', '40 seconds ago'],
    ['2026-11-21T17:00:00Z', '3 hours ago'],
    ['2026-11-20T19:00:00Z', 'yesterday'],
    ['2026-11-23T20:00:00Z', 'in 2 days'],
    ['2026-11-22T19:59:30Z', 'in 24 hours'],
    ['2027-02-19T19:59:59Z', 'in 3 months'],
    ['2025-10-01T00:00:00Z', 'last year'],
  ])('says of %s: %s', (time, text) => expect(relative(time, NOW, 'en')).toBe(text));

  it('writes the whole time in the zone', () => {
    expect(absolute('2026-11-21T20:00:00Z', 'Europe/Berlin', 'en-GB')).toMatch(
      /21 Nov 2026.*21:00:00.*CET|UTC\+1|GMT\+1/,
    );
  });

  it('knows the calendar day of a zone', () => {
    expect(calendarDay(new Date('2026-11-21T23:30:00Z'), 'Europe/Berlin')).toBe('2026-11-22');
    expect(calendarDay(new Date('2026-11-21T23:30:00Z'), 'America/New_York')).toBe('2026-11-21');
  });

  it('counts days over a change of clocks', () => {
    expect(addDays('2026-10-25', 1)).toBe('2026-10-26');
    expect(addDays('2026-03-01', -1)).toBe('2026-02-28');
    expect(daysBetween('2026-10-24', '2026-10-27')).toEqual(['2026-10-24', '2026-10-25', '2026-10-26']);
    expect(shortDay('2026-01-31', 'en-GB')).toBe('31 Jan');
  });
});
