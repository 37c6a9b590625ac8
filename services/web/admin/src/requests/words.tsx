import { Status, type Tone } from '@llm-platform/shared';

const RESULTS: Record<string, [Tone, string]> = {
  completed: ['good', 'Completed'],
  failed: ['bad', 'Failed'],
  cancelled: ['neutral', 'Cancelled'],
  timeout: ['bad', 'Timed out'],
  lost: ['bad', 'Lost'],
};

export function Result({ of: result, open }: { of: string; open: boolean }) {
  if (open && !result) return <Status tone="warning">Under way</Status>;
  const [tone, words] = RESULTS[result] ?? ['neutral', result || 'Not sent'];
  return <Status tone={tone}>{words}</Status>;
}

const CERTAINTIES: Record<string, string> = {
  exact: 'As the provider counted',
  estimated: 'Estimated by the platform',
  uncertain: 'Not known yet: the reserved amount is held',
};

export const certaintyWords = (certainty: string): string => CERTAINTIES[certainty] ?? (certainty || '–');
