import { useList, useSession, type Key, type Team } from '@llm-platform/shared';

/** Names of one's own keys and teams by their ids. */
export function useNames(): ReadonlyMap<string, string> {
  const { user_id } = useSession();
  const keys = useList<Key>('/api/keys', { user: user_id, include_revoked: true }, { pageSize: 1000 });
  const teams = useList<Team>('/api/teams', { user: user_id }, { pageSize: 1000 });
  return new Map([
    ...keys.items.flatMap(key => [[key.counted_as, key.name] as const, [key.key_id, key.name] as const]),
    ...teams.items.map(team => [team.team_id, team.name] as const),
  ]);
}
