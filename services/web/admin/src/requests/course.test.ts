import { expect, test } from 'vitest';
import { courseOf, durationWords, madeAt, milliseconds } from './course';
import { entry } from './entry.fixture';

const ENTERED = Date.UTC(2026, 0, 1);
const ID = `req_${ENTERED.toString(16).padStart(12, '0')}${'0'.repeat(20)}`;
const at = (ms: number) => new Date(ENTERED + ms).toISOString();

const attempt = (number: number, sent: number, more = {}) =>
  entry('settle', {
    attempt_id: `rsv_1-${number}`,
    sent_at: at(sent),
    first_byte_us: '100000',
    duration_us: '300000',
    ...more,
  });

test('a request is followed from the entry to the end of its last attempt', () => {
  const course = courseOf(ID, [
    entry('reserve', { created_at: at(12) }),
    attempt(1, 20, { first_byte_us: '0', duration_us: '50000' }),
    attempt(2, 400),
  ])!;
  expect(course).toMatchObject({ begin: ENTERED, length: 700, clocksDiffer: false });
  expect(course.hops.map(({ kind, start, wait, duration }) => [kind, start, wait, duration])).toEqual([
    ['check', 0, undefined, 12],
    ['send', 12, undefined, 8],
    ['attempt', 20, undefined, 50],
    ['attempt', 400, 100, 300],
  ]);
});

test('a fallback has a reservation of its own', () => {
  const other = { reservation_id: 'rsv_2', provider: 'other' };
  const course = courseOf(ID, [
    entry('reserve', { created_at: at(10) }),
    attempt(1, 15),
    entry('reserve', { created_at: at(330), ...other }),
    attempt(1, 340, { attempt_id: 'rsv_2-1', ...other }),
  ])!;
  expect(course.hops.map(hop => [hop.kind, hop.provider, hop.attempt])).toEqual([
    ['check', '', 0],
    ['send', 'echo', 0],
    ['attempt', 'echo', 1],
    ['send', 'other', 0],
    ['attempt', 'other', 2],
  ]);
});

test('clocks that differ are said, and nothing is shown before the beginning', () => {
  const course = courseOf(ID, [entry('reserve', { created_at: at(-40) }), attempt(1, -30)])!;
  expect(course.clocksDiffer).toBe(true);
  expect(course.hops.every(hop => hop.start >= 0 && (hop.duration ?? 0) >= 0)).toBe(true);
});

test('what rounding makes of times is no difference of clocks', () => {
  expect(courseOf(ID, [entry('reserve', { created_at: at(5.4) }), attempt(1, 5)])!.clocksDiffer).toBe(false);
});

test('an attempt whose end nobody knows has none', () => {
  const course = courseOf(ID, [
    entry('reserve', { created_at: at(5) }),
    attempt(1, 8, { first_byte_us: '0', duration_us: '0', certainty: 'uncertain' }),
  ])!;
  expect(course.hops.at(-1)).toMatchObject({ start: 8, wait: undefined, duration: undefined });
  expect(course.length).toBe(8);
});

test('without times there is nothing to show', () => {
  expect(courseOf(ID, [entry('reserve'), entry('settle')])).toBeUndefined();
  expect(courseOf('mine', [entry('reserve'), attempt(1, 8)])).toBeUndefined();
  expect(madeAt(ID)).toBe(ENTERED);
  expect(madeAt('req_1')).toBeUndefined();
});

test('durations have words of their size', () => {
  expect([0.4, 9.9, 840, 2_449, 9_990, 61_000, 185_000].map(durationWords)).toEqual([
    '0.4 ms',
    '9.9 ms',
    '840 ms',
    '2.4 s',
    '10 s',
    '61 s',
    '3 min 5 s',
  ]);
  expect([milliseconds('1500'), milliseconds('0'), milliseconds('')]).toEqual([1.5, undefined, undefined]);
});
