import { Button } from '@mantine/core';
import { PageHeader, useCan, useFilters, useSession } from '@llm-platform/shared';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { OrganizationFilter } from '../names/OrganizationFilter';
import { TeamDialog } from './TeamDialog';
import { TeamsTable } from './TeamsTable';

export function Component() {
  const can = useCan();
  const { platform } = useSession();
  const [filters, setFilters] = useFilters({ organization: '' });
  const [creating, setCreating] = useState(false);
  const create = can('POST /api/teams') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setCreating(true)}>
      New team
    </Button>
  );
  const choosable = platform && can('GET /api/organizations');
  return (
    <>
      <PageHeader title="Teams" description="Who works together, and pays together." actions={create} />
      <TeamsTable
        within={filters}
        create={create}
        showOrganization={choosable}
        filters={
          choosable && (
            <OrganizationFilter
              value={filters.organization}
              onChange={organization => setFilters({ organization })}
            />
          )
        }
      />
      {creating && (
        <TeamDialog
          {...(filters.organization && { organization: filters.organization })}
          onClose={() => setCreating(false)}
        />
      )}
    </>
  );
}
