import { Name } from '../names/Name';
import type { Kind } from '../names/names';

const KINDS: readonly [RegExp, Kind][] = [
  [/^org_/, 'organization'],
  [/^team_/, 'team'],
  [/^usr_|^user_/, 'user'],
];

/** What an entry is about: by its name where the id tells of what kind it is. */
export function Target({ action, target }: { action: string; target: string }) {
  if (!target) return null;
  const kind = /Key$|Authenticate$/.test(action)
    ? 'key'
    : KINDS.find(([pattern]) => pattern.test(target))?.[1];
  if (kind) return <Name kind={kind} id={target} />;
  return <span style={{ overflowWrap: 'anywhere' }}>{target}</span>;
}
