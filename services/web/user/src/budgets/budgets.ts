import type { Budget } from '@llm-platform/shared';

const PERIODS: Record<string, string> = { daily: 'Daily', monthly: 'Monthly', total: 'In total' };

/** "Monthly budget, only warns"; all are of the user: those of teams and keys are the administrators' to see. */
export function budgetName(budget: Budget): string {
  const period = `${PERIODS[budget.period] ?? budget.period} budget`;
  return budget.enforcement === 'soft' ? `${period}, only warns` : period;
}
