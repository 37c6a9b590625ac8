import { Status, Time, type Key } from '@llm-platform/shared';

const SOON_MS = 7 * 86_400_000;

export function KeyState({ of: key }: { of: Key }) {
  if (key.revoked_at) return <Status tone="neutral">Revoked</Status>;
  const left = key.expires_at ? Date.parse(key.expires_at) - Date.now() : Infinity;
  if (left <= 0) return <Status tone="neutral">Expired</Status>;
  if (key.replaced_by) return <Status tone="warning">Replaced</Status>;
  if (left < SOON_MS)
    return (
      <Status tone="warning">
        <span>
          Ends <Time at={key.expires_at} />
        </span>
      </Status>
    );
  return <Status tone="good">Active</Status>;
}
