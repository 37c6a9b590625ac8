import { Button, Switch } from '@mantine/core';
import { PageHeader, useCan, useFilters } from '@llm-platform/shared';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { SubjectSelect } from '../names/SubjectSelect';
import { KeyDialog } from './KeyDialog';
import { KeysTable } from './KeysTable';

export function Component() {
  const can = useCan();
  const [filters, setFilters] = useFilters({ user: '', team: '', revoked: '' });
  const [creating, setCreating] = useState(false);
  const create = can('POST /api/keys') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setCreating(true)}>
      New key
    </Button>
  );
  const { user, team, revoked } = filters;
  return (
    <>
      <PageHeader
        title="Keys"
        description="Who may call the models, and within which limits."
        actions={create}
      />
      <KeysTable
        within={{ user, team, include_revoked: revoked === 'yes' }}
        create={create}
        filters={
          <>
            {can('GET /api/users') && (
              <SubjectSelect
                kind="user"
                aria-label="User"
                placeholder="All users"
                w={170}
                value={user}
                onChange={value => setFilters({ user: value })}
              />
            )}
            <SubjectSelect
              kind="team"
              aria-label="Team"
              placeholder="All teams"
              w={170}
              value={team}
              onChange={value => setFilters({ team: value })}
            />
            <Switch
              label="Revoked too"
              checked={revoked === 'yes'}
              onChange={event => setFilters({ revoked: event.currentTarget.checked ? 'yes' : '' })}
            />
          </>
        }
      />
      {creating && <KeyDialog onClose={() => setCreating(false)} />}
    </>
  );
}
