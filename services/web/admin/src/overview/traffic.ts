import type { Traffic } from '../types';

const FAULTS = [
  ['caller', 'of callers', 'a wrong key, a bad request, or they left'],
  ['policy', 'by a limit or budget', 'what administrators have set'],
  ['platform', 'of the platform', 'this is ours to mend'],
  ['provider', 'of providers', 'they failed or refused'],
] as const;

export interface FaultCount {
  fault: string;
  words: string;
  hint: string;
  count: number;
}

/** Failures by whose fault they are, each kind, whether there are any or not. */
export function faultCounts(errors: Traffic['errors']): FaultCount[] {
  const known = FAULTS.map(([fault, words, hint]) => ({ fault, words, hint, count: errors[fault] ?? 0 }));
  const others = Object.entries(errors).filter(([fault]) => !FAULTS.some(([name]) => name === fault));
  return [...known, ...others.map(([fault, count]) => ({ fault, words: fault, hint: '', count }))];
}

const HOUR_MS = 3_600_000;
/** Counters are written down each minute. */
const SLACK_MS = 150_000;

/** Replicas that have counted for less than an hour, so that the sums are of less than all of it. */
export function youngEntries({ entries }: Traffic, now: Date): Traffic['entries'] {
  return entries.filter(({ since }) => now.getTime() - Date.parse(since) < HOUR_MS - SLACK_MS);
}

/** Of failures in requests: "2.5 %". */
export function shareWords(errors: number, requests: number): string {
  if (!requests || !errors) return 'None failed';
  const share = (100 * Math.min(errors, requests)) / requests;
  return share < 0.1
    ? 'Less than 0.1 % failed'
    : `${share < 10 ? share.toFixed(1) : Math.round(share)} % failed`;
}
