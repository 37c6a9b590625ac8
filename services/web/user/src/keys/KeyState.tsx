import { Status, type Key, type Tone } from '@llm-platform/shared';
import { stateOf, type State } from './keys';

const SHOWN: Record<State, [Tone, string]> = {
  active: ['good', 'Active'],
  expiring: ['warning', 'Expires soon'],
  expired: ['neutral', 'Expired'],
  replaced: ['warning', 'Replaced'],
  revoked: ['neutral', 'Revoked'],
};

export function KeyState({ of: key }: { of: Key }) {
  const [tone, word] = SHOWN[stateOf(key, new Date())];
  return <Status tone={tone}>{word}</Status>;
}
