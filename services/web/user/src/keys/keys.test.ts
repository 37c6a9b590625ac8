import type { Key } from '@llm-platform/shared';
import { expect, it, vi } from 'vitest';
import { stateOf } from './keys';

vi.mock('@llm-platform/shared', () => ({ api: {}, queryClient: {}, path: String.raw }));

const NOW = new Date('2026-11-21T00:00:00Z');
const key = (changes: Partial<Key>) =>
  ({ revoked_at: '', expires_at: '', replaced_by: '', ...changes }) as Key;

it.each([
  [{}, 'active'],
  [{ expires_at: '2027-11-21T00:00:00Z' }, 'active'],
  [{ expires_at: '2026-11-25T00:00:00Z' }, 'expiring'],
  [{ expires_at: '2026-11-20T00:00:00Z' }, 'expired'],
  [{ expires_at: '2026-11-22T00:00:00Z', replaced_by: 'key_2' }, 'replaced'],
  [{ expires_at: '2026-11-20T00:00:00Z', revoked_at: '2026-11-19T00:00:00Z' }, 'revoked'],
] as const)('%j is %s', (changes, state) => expect(stateOf(key(changes), NOW)).toBe(state));
