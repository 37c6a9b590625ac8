import type { Query } from '@tanstack/react-query';
import { Problem } from '../api/problem';
import { activity } from '../live/activity';

const AGAIN_MS = 4_000;

/** For `refetchInterval`: a page whose answer failed because something is away gets well by itself. */
export function untilBack(query: Pick<Query, 'state'>): number | false {
  const { error } = query.state;
  return error instanceof Problem && error.away && activity.isActive() && AGAIN_MS;
}

/** Asked anew every `interval`, and sooner while something is away. */
export const live =
  (interval: number | false) =>
  (query: Pick<Query, 'state'>): number | false =>
    untilBack(query) || interval;
