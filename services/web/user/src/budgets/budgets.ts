import type { Budget } from '@llm-platform/shared';

const PERIODS: Record<string, string> = { daily: 'Daily', monthly: 'Monthly', total: 'Total' };
const SCOPES: Record<string, string> = {
  key: 'Key',
  user: 'All your keys',
  team: 'Team',
  organization: 'Organisation',
};

/** "Monthly · Team Search"; `names` knows keys and teams by their ids. */
export function budgetName(budget: Budget, names: ReadonlyMap<string, string>): string {
  const period = PERIODS[budget.period] ?? budget.period;
  const scope = SCOPES[budget.scope] ?? budget.scope;
  if (budget.scope === 'user' || budget.scope === 'organization') return `${scope} · ${period.toLowerCase()}`;
  return `${scope} ${names.get(budget.scope_id) ?? budget.scope_id} · ${period.toLowerCase()}`;
}
