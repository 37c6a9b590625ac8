import type { Budget } from '@llm-platform/shared';

const PERIODS: Record<string, string> = { daily: 'Daily', monthly: 'Monthly', total: 'In total' };

/** "Monthly budget, only warns", "Team search: daily budget". `of`: the key or team; empty: all own keys. */
export function budgetName(budget: Budget, of: string): string {
  const period = `${PERIODS[budget.period] ?? budget.period} budget`;
  const named = of ? `${of}: ${period.charAt(0).toLowerCase()}${period.slice(1)}` : period;
  return budget.enforcement === 'soft' ? `${named}, only warns` : named;
}
