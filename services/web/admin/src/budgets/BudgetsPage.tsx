import { Button } from '@mantine/core';
import { FilterSelect, PageHeader, useCan, useFilters, useSession } from '@llm-platform/shared';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useSeesOwnOnly } from '../access/useSeesOwnOnly';
import type { Kind } from '../names/names';
import { SubjectSelect } from '../names/SubjectSelect';
import { BudgetDialog } from './BudgetDialog';
import { BudgetsTable } from './BudgetsTable';
import { Notifications } from './Notifications';
import { SCOPES, scopeName } from './words';
import classes from './BudgetsPage.module.css';

export function Component() {
  const can = useCan();
  const { user_id } = useSession();
  const ownOnly = useSeesOwnOnly();
  const [filters, setFilters] = useFilters({ scope: '', scope_id: '' });
  const [creating, setCreating] = useState(false);
  const create = can('PUT /api/budgets') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setCreating(true)}>
      New budget
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Budgets"
        description={
          ownOnly
            ? 'How much you may spend, and how much of it is left.'
            : 'How much may be spent, and how much of it is left.'
        }
        actions={create}
      />
      <div className={classes.stack}>
        <BudgetsTable
          query={ownOnly ? { scope: 'user', scope_id: user_id } : filters}
          ofOne={ownOnly}
          create={create}
          filters={
            !ownOnly && (
              <>
                <FilterSelect
                  label="For"
                  placeholder="For anyone"
                  data={SCOPES}
                  w={160}
                  value={filters.scope}
                  onChange={scope => setFilters({ scope, scope_id: '' })}
                />
                {filters.scope && (
                  <SubjectSelect
                    key={filters.scope}
                    kind={filters.scope as Kind}
                    aria-label={scopeName(filters.scope)}
                    placeholder="Any"
                    value={filters.scope_id}
                    onChange={scope_id => setFilters({ scope_id })}
                  />
                )}
              </>
            )
          }
        />
        {can('GET /api/notifications') && <Notifications />}
      </div>
      {creating && <BudgetDialog onClose={() => setCreating(false)} />}
    </>
  );
}
