import type { LedgerEntry } from '../types';

/**
 * The way of a request through the platform. Times are milliseconds: of an entry's clock, of billing's (reservations) and
 * of model-proxy's (attempts). How long an attempt took is by one clock; between two hops there are two.
 */
export interface Course {
  /** Milliseconds since 1970. */
  begin: number;
  /** From the beginning to the end of what is known. */
  length: number;
  hops: Hop[];
  /** Some hop ended before the one before it: the hosts' clocks are not the same. */
  clocksDiffer: boolean;
}

export interface Hop {
  key: string;
  kind: 'check' | 'send' | 'attempt';
  provider: string;
  /** 1 and on; 0: no attempt. */
  attempt: number;
  /** Milliseconds from the beginning of the request. */
  start: number;
  /** Until the first part of an answer; undefined: nothing came. */
  wait: number | undefined;
  /** Until the end; undefined: not known. */
  duration: number | undefined;
}

/** Times of a request's id and of an attempt are in whole milliseconds. */
const ROUNDING_MS = 2;
const REQUEST_ID = /^req_([0-9a-f]{12})[0-9a-f]{20}$/;

/** When the entry made this id; undefined: it is none of the platform's. */
export function madeAt(requestId: string): number | undefined {
  const match = REQUEST_ID.exec(requestId);
  return match ? parseInt(match[1]!, 16) : undefined;
}

export function courseOf(requestId: string, entries: readonly LedgerEntry[]): Course | undefined {
  const reserved = entries.filter(entry => entry.kind === 'reserve');
  const sent = entries.filter(entry => entry.kind === 'settle' && entry.sent_at);
  const entered = madeAt(requestId);
  if (entered === undefined || sent.length === 0) return undefined;
  const at = (time: string) => Date.parse(time) - entered;
  const hops: Hop[] = [];
  let clocksDiffer = false;
  const between = (kind: 'check' | 'send', provider: string, key: string, from: number, to: number) => {
    clocksDiffer ||= to - from < -ROUNDING_MS;
    const start = Math.max(0, from);
    hops.push({ key, kind, provider, attempt: 0, start, wait: undefined, duration: Math.max(0, to - start) });
  };
  const [first] = reserved;
  if (first) between('check', '', 'check', 0, at(first.created_at));
  const reservations = new Map(reserved.map(entry => [entry.reservation_id, at(entry.created_at)]));
  const inOrder = sent.toSorted((one, other) => at(one.sent_at) - at(other.sent_at));
  for (const entry of inOrder) {
    const start = at(entry.sent_at);
    const held = reservations.get(entry.reservation_id);
    if (held !== undefined) {
      reservations.delete(entry.reservation_id);
      between('send', entry.provider, `send-${entry.reservation_id}`, held, start);
    }
    hops.push({
      key: entry.attempt_id,
      kind: 'attempt',
      provider: entry.provider,
      attempt: inOrder.indexOf(entry) + 1,
      start: Math.max(0, start),
      wait: milliseconds(entry.first_byte_us),
      duration: milliseconds(entry.duration_us),
    });
  }
  return {
    begin: entered,
    length: Math.max(1, ...hops.map(hop => hop.start + (hop.duration ?? 0))),
    hops,
    clocksDiffer,
  };
}

/** Of microseconds as the API has them; undefined where there are none. */
export const milliseconds = (microseconds: string): number | undefined =>
  microseconds === '0' || !microseconds ? undefined : Number(microseconds) / 1000;

/** "840 ms", "2.4 s", "3 min 5 s". */
export function durationWords(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 119_500) return `${Math.round(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
