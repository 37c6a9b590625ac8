import { Button } from '@mantine/core';
import { Section, useCan } from '@llm-platform/shared';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import type { Kind } from '../names/names';
import { BudgetDialog } from './BudgetDialog';
import { BudgetsTable } from './BudgetsTable';

/** The budgets of one key, user, team or organisation, on its page. */
export function BudgetsOf({ scope, id }: { scope: Kind; id: string }) {
  const can = useCan();
  const [creating, setCreating] = useState(false);
  const create = can('PUT /api/budgets') && (
    <Button variant="default" size="xs" leftSection={<Plus size={14} />} onClick={() => setCreating(true)}>
      New budget
    </Button>
  );
  return (
    <Section title="Budgets" flush actions={create}>
      <BudgetsTable query={{ scope, scope_id: id }} ofOne />
      {creating && <BudgetDialog subject={{ scope, scope_id: id }} onClose={() => setCreating(false)} />}
    </Section>
  );
}
