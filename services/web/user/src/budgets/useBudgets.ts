import { useQuery } from '@tanstack/react-query';
import {
  api,
  Problem,
  useCan,
  useLive,
  useSession,
  type Budget,
  type Key,
  type Page,
  type Query,
  type Team,
} from '@llm-platform/shared';

export interface OwnBudget {
  budget: Budget;
  /** Of the key or team that it is of; empty: it is of all own keys together. */
  of: string;
}

/** The budgets of oneself, of one's teams and of one's keys. */
export function useBudgets() {
  const can = useCan();
  const { user_id } = useSession();
  const interval = useLive(30);
  const allowed = can('GET /api/budgets');
  const read = useQuery({
    queryKey: ['/api/budgets', 'own', user_id],
    queryFn: async ({ signal }): Promise<OwnBudget[]> => {
      const all = <T>(url: string, query: Query) =>
        api.get<Page<T>>(url, { page_size: 1000, ...query }, signal);
      const [own, keys, teams, ofKeys] = await Promise.all([
        api.get<Page<Budget>>('/api/budgets', { scope: 'user', scope_id: user_id }, signal),
        all<Key>('/api/keys', { user: user_id }),
        all<Team>('/api/teams', { user: user_id }),
        // Somebody who may see those of others is shown their own all the same.
        api.get<Page<Budget>>('/api/budgets', { scope: 'key' }, signal),
      ]);
      const names = new Map(keys.items.map(key => [key.counted_as, `Key ${key.name}`]));
      const ofTeams = await Promise.all(teams.items.map(team => ofTeam(team.team_id, signal)));
      teams.items.forEach(team => names.set(team.team_id, `Team ${team.name}`));
      return [
        ...own.items.map(budget => ({ budget, of: '' })),
        ...[...ofTeams.flat(), ...ofKeys.items]
          .filter(budget => names.has(budget.scope_id))
          .map(budget => ({ budget, of: names.get(budget.scope_id)! })),
      ];
    },
    enabled: allowed,
    refetchInterval: interval,
  });
  return { read, allowed };
}

/** None of a team that one came into a few minutes ago: the services do not know it yet. */
async function ofTeam(id: string, signal: AbortSignal): Promise<Budget[]> {
  try {
    return (await api.get<Page<Budget>>('/api/budgets', { scope: 'team', scope_id: id }, signal)).items;
  } catch (error) {
    if (error instanceof Problem && error.status === 403) return [];
    throw error;
  }
}
