import type { ProviderDefinition } from '../types';

/** What a definition means by what it leaves out. */
export const DEFAULTS = {
  type: 'openai',
  base_url: 'https://api.openai.com/v1',
  enabled: true,
  weight: 1,
  priority: 0,
  timeout_ms: 30_000,
  retry_count: 2,
} as const;

export const TYPES = [
  { value: 'openai', label: 'OpenAI-compatible' },
  { value: 'echo', label: 'Echo: answers by itself, for trials' },
];

/** A definition as a form holds it; numbers are as they were typed. */
export interface ProviderValues extends Record<string, unknown> {
  name: string;
  type: string;
  base_url: string;
  enabled: boolean;
  models: { name: string; upstream: string }[];
  weight: number | string;
  priority: number | string;
  timeout_seconds: number | string;
  retry_count: number | string;
}

export function valuesOf(definition?: ProviderDefinition): ProviderValues {
  const it = { ...DEFAULTS, ...definition };
  return {
    name: it.name ?? '',
    type: it.type || DEFAULTS.type,
    base_url: it.base_url,
    enabled: it.enabled,
    models: (definition?.models ?? []).map(({ name, upstream }) => ({
      name,
      upstream: upstream === name ? '' : upstream,
    })),
    weight: it.weight,
    priority: it.priority,
    timeout_seconds: it.timeout_ms / 1000,
    retry_count: it.retry_count,
  };
}

/** What is sent. Rows of models without a name are left out. */
export function definitionOf(values: ProviderValues): ProviderDefinition {
  const { timeout_seconds, base_url, models, ...rest } = values;
  return {
    ...rest,
    name: values.name.trim(),
    ...(values.type !== 'echo' && { base_url: base_url.trim() }),
    models: models
      .map(model => ({ name: model.name.trim(), upstream: model.upstream.trim() }))
      .filter(model => model.name)
      .map(({ name, upstream }) => ({ name, upstream: upstream || name })),
    weight: Number(values.weight),
    priority: Number(values.priority),
    timeout_ms: Math.round(Number(timeout_seconds) * 1000),
    retry_count: Number(values.retry_count),
  };
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const whole = (least: number, most: number, words: string) => (value: number | string) => {
  const number = Number(value);
  return value !== '' && Number.isInteger(number) && number >= least && number <= most ? null : words;
};

/** What is wrong with a form before it is sent; the service looks at the rest. `taken`: other providers. */
export const problemsOf = (taken: readonly string[]) => ({
  name: (name: string) =>
    !NAME.test(name.trim())
      ? 'Letters, digits and . _ - , as openai or azure-eu.'
      : taken.includes(name.trim())
        ? 'There is a provider of this name.'
        : null,
  base_url: (url: string, values: ProviderValues) =>
    values.type === 'echo' || /^https?:\/\/[^\s/]/.test(url.trim()) ? null : 'Begins with https://',
  weight: whole(0, 1_000_000, 'A whole number, 0 or more.'),
  priority: whole(-1_000_000, 1_000_000, 'A whole number.'),
  timeout_seconds: (value: number | string) => (Number(value) > 0 ? null : 'More than 0.'),
  retry_count: whole(0, 10, 'From 0 to 10.'),
});

/** The field of a form that the service's words are about: `providers.openai.timeout_ms`, `providers[2].name`. */
export function fieldOf(param: string, provider: string): string {
  const field = [`providers.${provider}.`, 'definition.'].reduce(
    (text, prefix) => (text.startsWith(prefix) ? text.slice(prefix.length) : text),
    param,
  );
  if (field === 'timeout_ms') return 'timeout_seconds';
  return field.replace(/^providers\[\d+\]\./, '').replace(/^models\[(\d+)\]/, 'models.$1');
}
