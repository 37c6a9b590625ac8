import type { Budget } from '@llm-platform/shared';
import type { Kind } from '../names/names';

export const SCOPES: { value: Kind; label: string }[] = [
  { value: 'key', label: 'Key' },
  { value: 'user', label: 'User' },
  { value: 'team', label: 'Team' },
  { value: 'organization', label: 'Organisation' },
];

export const BUDGET_PERIODS = [
  { value: 'monthly', label: 'Each month' },
  { value: 'daily', label: 'Each day' },
  { value: 'total', label: 'In total' },
];

export const ENFORCEMENTS = [
  { value: 'hard', label: 'Refuses what goes beyond' },
  { value: 'soft', label: 'Only notifies' },
];

const label = (list: { value: string; label: string }[], value: string) =>
  list.find(item => item.value === value)?.label ?? value;

export const scopeName = (scope: string): string => label(SCOPES, scope);
export const periodName = (period: string): string => label(BUDGET_PERIODS, period);

/** What tells a budget from all others. */
export const identity = ({ scope, scope_id, period, enforcement, organization_id }: Budget) => ({
  scope,
  scope_id,
  period,
  enforcement,
  organization_id,
});
