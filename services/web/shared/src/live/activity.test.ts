import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Activity } from './activity';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('goes idle when nobody touches the page, and is back with the first sign', () => {
  const page = new EventTarget();
  const activity = new Activity(1000);
  const told = vi.fn();
  activity.subscribe(told);
  const stop = activity.watch(page);

  vi.advanceTimersByTime(900);
  page.dispatchEvent(new Event('keydown'));
  vi.advanceTimersByTime(900);
  expect(activity.isActive()).toBe(true);
  vi.advanceTimersByTime(100);
  expect(activity.isActive()).toBe(false);

  page.dispatchEvent(new Event('pointermove'));
  expect(activity.isActive()).toBe(true);
  expect(told).toHaveBeenCalledTimes(2);
  stop();
  page.dispatchEvent(new Event('pointermove'));
  vi.advanceTimersByTime(5000);
  expect(activity.isActive()).toBe(true);
});
