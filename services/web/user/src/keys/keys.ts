import { api, path, queryClient, type CreatedKey, type Key, type Limits } from '@llm-platform/shared';

export const KEYS = '/api/keys';

export interface KeySettings {
  name: string;
  expires_at: string;
  allowed_models: string[];
  ip_ranges: string[];
  limits: Limits;
}

export async function createKey(given: KeySettings & { team: string }): Promise<CreatedKey> {
  const made = await api.post<CreatedKey>(KEYS, given);
  await changed();
  return made;
}

export const readKey = (key: Key): Promise<Key> => api.get<Key>(path`/api/keys/${key.key_id}`);

/** Refused when somebody else has changed the key since it was read. */
export async function updateKey(
  key: Key,
  { allowed_models, ip_ranges, ...rest }: Partial<KeySettings>,
): Promise<Key> {
  const updated = await api.patch<Key>(path`/api/keys/${key.key_id}`, key.etag, {
    ...rest,
    ...(allowed_models && { allowed_models: { items: allowed_models } }),
    ...(ip_ranges && { ip_ranges: { items: ip_ranges } }),
  });
  await changed();
  return updated;
}

/** The old key works on for `overlapSeconds`. */
export async function rotateKey(key: Key, overlapSeconds: number): Promise<CreatedKey> {
  const made = await api.post<CreatedKey>(path`/api/keys/${key.key_id}:rotate`, {
    overlap_seconds: overlapSeconds,
  });
  await changed();
  return made;
}

export async function revokeKey(key: Key): Promise<void> {
  await api.delete(path`/api/keys/${key.key_id}`);
  await changed();
}

const changed = () => queryClient.invalidateQueries({ queryKey: [KEYS] });

export type State = 'active' | 'expiring' | 'expired' | 'replaced' | 'revoked';

const SOON_MS = 14 * 86_400_000;

/** What has become of a key. */
export function stateOf(key: Key, now: Date): State {
  if (key.revoked_at) return 'revoked';
  const left = key.expires_at ? Date.parse(key.expires_at) - now.getTime() : Infinity;
  if (left <= 0) return 'expired';
  if (key.replaced_by) return 'replaced';
  return left < SOON_MS ? 'expiring' : 'active';
}
