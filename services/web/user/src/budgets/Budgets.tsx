import { Skeleton } from '@mantine/core';
import { Empty, Failure } from '@llm-platform/shared';
import { Wallet } from 'lucide-react';
import { BudgetBar } from './BudgetBar';
import { budgetName } from './budgets';
import { useBudgets } from './useBudgets';

/** The budgets of the user, of all own keys together, then those of its teams and of single keys. */
export function Budgets({ most }: { most?: number }) {
  const { read, allowed } = useBudgets();
  if (read.error && !read.data) return <Failure error={read.error} onRetry={() => void read.refetch()} />;
  if (allowed && !read.data) return <Skeleton height={64} />;
  const budgets = read.data ?? [];
  if (budgets.length === 0)
    return (
      <Empty icon={Wallet} title="No budget">
        Nobody has set how much your requests may cost.
      </Empty>
    );
  return budgets
    .slice(0, most)
    .map(({ budget, of }) => (
      <BudgetBar key={budget.budget_id} budget={budget} name={budgetName(budget, of)} />
    ));
}
