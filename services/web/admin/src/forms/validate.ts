import { limitProblem, type LimitsText } from '@llm-platform/shared';

export const named = (value: string): string | null => (value.trim() ? null : 'Give it a name.');

/** For a form whose values hold the limits under `limits`. */
export const validLimits = Object.fromEntries(
  (
    ['requests_per_minute', 'tokens_per_minute', 'concurrency', 'requests_burst', 'tokens_burst'] as const
  ).map(name => [name, (value: string) => limitProblem(name, value)]),
) as Record<keyof LimitsText, (value: string) => string | null>;
