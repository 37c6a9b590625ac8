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

interface ProviderStateProps {
  /** Unset: it is not served yet. */
  of: ProviderHealth | undefined;
  /** As the rules have it. */
  enabled?: boolean;
}

export function ProviderState({ of: provider, enabled = provider?.enabled }: ProviderStateProps) {
  if (enabled === false) return <Status tone="neutral">Switched off</Status>;
  if (!provider?.enabled) return <Status tone="neutral">Being taken into service …</Status>;
  const [tone, words] = STATES[provider.state] ?? ['neutral', provider.state];
  return <Status tone={tone}>{words}</Status>;
}

/** The share of recent calls that succeeded, and how many. */
export function scoreWords(provider: ProviderHealth): string {
  if (provider.successes === '0' && provider.failures === '0') return 'None just now';
  const share = (provider.score * 100).toFixed(provider.score === 1 ? 0 : 1);
  return `${share} % of ${exactCount(BigInt(provider.successes) + BigInt(provider.failures))} succeeded`;
}
