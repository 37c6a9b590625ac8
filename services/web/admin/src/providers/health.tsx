import { exactCount, Status, type Tone } from '@llm-platform/shared';
import type { ProviderHealth } from '../types';

const STATES: Record<string, [Tone, string]> = {
  healthy: ['good', 'Healthy'],
  degraded: ['warning', 'Degraded'],
  down: ['bad', 'Down'],
  unconfigured: ['neutral', 'No key yet'],
};

const CIRCUITS: Record<string, string> = {
  closed: 'Lets calls through',
  'half-open': 'Tries single calls',
  open: 'Holds calls back',
};

export const circuitWords = (circuit: string): string => CIRCUITS[circuit] ?? circuit;

export function ProviderState({ of: provider }: { of: ProviderHealth }) {
  if (!provider.enabled) return <Status tone="neutral">Switched off</Status>;
  const [tone, words] = STATES[provider.state] ?? ['neutral', provider.state];
  return <Status tone={tone}>{words}</Status>;
}

/** The share of recent calls that succeeded, and how many. */
export function scoreWords(provider: ProviderHealth): string {
  if (provider.successes === '0' && provider.failures === '0') return 'None just now';
  const share = (provider.score * 100).toFixed(provider.score === 1 ? 0 : 1);
  return `${share} % of ${exactCount(BigInt(provider.successes) + BigInt(provider.failures))} succeeded`;
}

/** A sentence, as the platform's messages are not always one. */
export const sentence = (text: string): string => (text ? text[0]!.toUpperCase() + text.slice(1) : '');
