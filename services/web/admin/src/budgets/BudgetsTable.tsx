import {
  confirm,
  DataTable,
  Empty,
  Money,
  Time,
  useCan,
  type Budget,
  type Column,
  type Query,
  type RowAction,
} from '@llm-platform/shared';
import { Pencil, Trash2, Wallet } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { Name } from '../names/Name';
import type { Kind } from '../names/names';
import { BudgetBar } from './BudgetBar';
import { BudgetDialog, removeBudget } from './BudgetDialog';
import { useBudgets } from './useBudgets';
import { periodName, scopeName } from './words';
import classes from './BudgetsTable.module.css';

interface BudgetsTableProps {
  query?: Query;
  /** They are all of one. */
  ofOne?: boolean;
  filters?: ReactNode;
  create?: ReactNode;
}

export function BudgetsTable({ query = {}, ofOne, filters, create }: BudgetsTableProps) {
  const can = useCan();
  const [edited, setEdited] = useState<Budget | null>(null);
  const list = useBudgets(query);
  const whose: Column<Budget> = {
    key: 'whose',
    title: 'For',
    cell: row => (
      <div>
        <Name kind={row.scope as Kind} id={row.scope_id} link />
        <div className={classes.under}>{scopeName(row.scope)}</div>
      </div>
    ),
  };
  const actions = (budget: Budget): RowAction[] => [
    ...(can('PUT /api/budgets') ? [{ label: 'Edit', icon: Pencil, onClick: () => setEdited(budget) }] : []),
    ...(can('DELETE /api/budgets')
      ? [{ label: 'Delete…', icon: Trash2, dangerous: true, onClick: () => askToRemove(budget) }]
      : []),
  ];
  return (
    <>
      <DataTable
        label="Budgets"
        list={list}
        filters={filters}
        rowKey={row => row.budget_id}
        rowName={row => `the budget of ${row.scope_id}`}
        columns={[
          ...(ofOne ? [] : [whose]),
          { key: 'spent', title: 'Spent', cell: row => <BudgetBar budget={row} /> },
          {
            key: 'reserved',
            title: 'Reserved',
            cell: row => <Money amount={row.reserved} />,
            numeric: true,
            wide: true,
          },
          { key: 'window', title: 'Period', cell: row => <Period of={row} />, wide: true },
          {
            key: 'enforcement',
            title: 'When used up',
            cell: row => (row.enforcement === 'soft' ? 'Notifies' : 'Refuses'),
            wide: true,
          },
          {
            key: 'thresholds',
            title: 'Notify at',
            cell: row => row.thresholds.map(each => `${each} %`).join(', ') || '–',
            wide: true,
          },
        ]}
        {...((can('PUT /api/budgets') || can('DELETE /api/budgets')) && { actions })}
        empty={
          <Empty icon={Wallet} title="No budgets" action={create}>
            A budget refuses calls, or tells somebody, when more would be spent.
          </Empty>
        }
      />
      {edited && <BudgetDialog budget={edited} onClose={() => setEdited(null)} />}
    </>
  );
}

function Period({ of: budget }: { of: Budget }) {
  return (
    <div>
      {periodName(budget.period)}
      {budget.window_ends_at && (
        <div className={classes.under}>
          begins again <Time at={budget.window_ends_at} />
        </div>
      )}
    </div>
  );
}

function askToRemove(budget: Budget): void {
  confirm({
    title: 'Delete this budget?',
    message: 'Calls are no longer held against it. What was spent stays in the reports.',
    action: 'Delete budget',
    onConfirm: () => removeBudget(budget),
  });
}
