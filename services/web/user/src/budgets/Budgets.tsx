import { Skeleton } from '@mantine/core';
import { Empty, Failure, useCan, useResource, useSession, type Budget } from '@llm-platform/shared';
import { Wallet } from 'lucide-react';
import { BudgetBar } from './BudgetBar';
import { budgetName } from './budgets';

/** The budgets of the user: of all own keys together. */
export function Budgets({ most }: { most?: number }) {
  const can = useCan();
  const { user_id } = useSession();
  const allowed = can('GET /api/budgets');
  const budgets = useResource<{ items: Budget[] }>(
    '/api/budgets',
    { scope: 'user', scope_id: user_id },
    { live: 30, enabled: allowed },
  );
  if (budgets.error && !budgets.data)
    return <Failure error={budgets.error} onRetry={() => void budgets.refetch()} />;
  if (allowed && !budgets.data) return <Skeleton height={64} />;
  const items = budgets.data?.items ?? [];
  if (items.length === 0)
    return (
      <Empty icon={Wallet} title="No budget">
        Nobody has set how much your requests may cost.
      </Empty>
    );
  return items
    .slice(0, most)
    .map(budget => <BudgetBar key={budget.budget_id} budget={budget} name={budgetName(budget)} />);
}
