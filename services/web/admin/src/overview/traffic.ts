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

/** Who has counted, and since when where that is less than an hour. */
export function countedWords({ since, entries }: Traffic, now: Date, locale?: string): string {
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
  const at = (time: string) => clock.format(new Date(time));
  const young = entries.filter(entry => now.getTime() - Date.parse(entry.since) < HOUR_MS - SLACK_MS);
  const names = entries.map(({ replica }) => replica).join(', ');
  if (young.length === entries.length) return `Since ${at(since)}, counted by ${names}.`;
  return (
    [`Counted by ${names}`, ...young.map(entry => `${entry.replica} since ${at(entry.since)}`)].join('; ') +
    '.'
  );
}

/** Of failures in requests: "2.5 %". */
export function shareWords(errors: number, requests: number): string {
  if (!requests || !errors) return 'None failed';
  const share = (100 * Math.min(errors, requests)) / requests;
  return share < 0.1
    ? 'Less than 0.1 % failed'
    : `${share < 10 ? share.toFixed(1) : Math.round(share)} % failed`;
}
