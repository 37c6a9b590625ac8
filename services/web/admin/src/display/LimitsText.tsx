import { exactCount, type Limits } from '@llm-platform/shared';

const WORDS: readonly (readonly [keyof Limits, string])[] = [
  ['requests_per_minute', 'requests a minute'],
  ['tokens_per_minute', 'tokens a minute'],
  ['concurrency', 'at the same time'],
];

/** "600 requests a minute, 8 at the same time". */
export function LimitsText({ of: limits }: { of: Limits | undefined }) {
  const set = WORDS.filter(([name]) => limits && String(limits[name] ?? 0) !== '0');
  if (!limits || set.length === 0) return <>None</>;
  return (
    <span className="numeric">
      {set.map(([name, words]) => `${exactCount(limits[name])} ${words}`).join(', ')}
    </span>
  );
}
