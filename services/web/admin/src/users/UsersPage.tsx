import { Button } from '@mantine/core';
import { FilterSelect, PageHeader, useCan, useFilters, useSession } from '@llm-platform/shared';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { OrganizationFilter } from '../names/OrganizationFilter';
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
            <FilterSelect
              label="Role"
              placeholder="All roles"
              data={ROLES}
              w={150}
              value={filters.role}
              onChange={role => setFilters({ role })}
            />
            <FilterSelect
              label="Kind"
              placeholder="All kinds"
              data={KINDS}
              w={150}
              value={filters.kind}
              onChange={kind => setFilters({ kind })}
            />
            <OrganizationFilter
              value={filters.organization}
              onChange={organization => setFilters({ organization })}
            />
          </>
        }
      />
      {creating && <UserDialog onClose={() => setCreating(false)} />}
    </>
  );
}
