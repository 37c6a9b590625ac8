import type { Limits } from '../api/types';

/** What the fields hold: texts, empty for no limit. */
export type LimitsText = Record<keyof Limits, string>;

export const NO_LIMITS: LimitsText = {
  requests_per_minute: '',
  tokens_per_minute: '',
  concurrency: '',
  requests_burst: '',
  tokens_burst: '',
};

const LARGEST_32 = 4_294_967_295n;

/** The fields' texts of what the API answered. */
export function limitsText(limits?: Limits): LimitsText {
  if (!limits) return NO_LIMITS;
  return Object.fromEntries(
    Object.entries(limits).map(([name, value]) => [name, String(value) === '0' ? '' : String(value)]),
  ) as LimitsText;
}

/** What the API wants of the fields' texts. */
export function limitsOf(text: LimitsText): Limits {
  const whole = (value: string) => value.replaceAll(/[\s,.]/g, '') || '0';
  return {
    requests_per_minute: Number(whole(text.requests_per_minute)),
    tokens_per_minute: whole(text.tokens_per_minute),
    concurrency: Number(whole(text.concurrency)),
    requests_burst: Number(whole(text.requests_burst)),
    tokens_burst: whole(text.tokens_burst),
  };
}

/** What is wrong with a field, null when nothing is. */
export function limitProblem(name: keyof Limits, value: string): string | null {
  const text = value.replaceAll(/[\s,.]/g, '');
  if (!text) return null;
  if (!/^\d{1,19}$/.test(text)) return 'Give a whole number, or leave it empty for no limit.';
  const wide = name === 'tokens_per_minute' || name === 'tokens_burst';
  return !wide && BigInt(text) > LARGEST_32 ? 'That is too large.' : null;
}
