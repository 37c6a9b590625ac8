import { Button, Select } from '@mantine/core';
import { PageHeader, useCan, useSession } from '@llm-platform/shared';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useFilters } from '../filters/useFilters';
import { SubjectSelect } from '../names/SubjectSelect';
import { UserDialog } from './UserDialog';
import { UsersTable } from './UsersTable';
import { KINDS, ROLES } from './words';

export function Component() {
  const can = useCan();
  const { platform } = useSession();
  const [filters, setFilters] = useFilters({ role: '', kind: '', organization: '' });
  const [creating, setCreating] = useState(false);
  const create = can('POST /api/users') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setCreating(true)}>
      New user
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Users"
        description="People and service accounts, and what they may do."
        actions={create}
      />
      <UsersTable
        within={filters}
        create={create}
        showOrganization={platform}
        filters={
          <>
            <Select
              aria-label="Role"
              placeholder="All roles"
              data={ROLES}
              clearable
              w={150}
              value={filters.role || null}
              onChange={role => setFilters({ role: role ?? '' })}
            />
            <Select
              aria-label="Kind"
              placeholder="All kinds"
              data={KINDS}
              clearable
              w={150}
              value={filters.kind || null}
              onChange={kind => setFilters({ kind: kind ?? '' })}
            />
            {platform && (
              <SubjectSelect
                kind="organization"
                aria-label="Organisation"
                placeholder="All organisations"
                w={190}
                value={filters.organization}
                onChange={organization => setFilters({ organization })}
              />
            )}
          </>
        }
      />
      {creating && <UserDialog onClose={() => setCreating(false)} />}
    </>
  );
}
