import { Badge, Button, Group } from '@mantine/core';
import {
  CopyText,
  DataTable,
  Empty,
  PageHeader,
  Time,
  useCan,
  useList,
  useSearch,
  type Organization,
} from '@llm-platform/shared';
import { Building2, Pencil, Plus } from 'lucide-react';
import { useState } from 'react';
import { LimitsText } from '../display/LimitsText';
import { Name } from '../names/Name';
import { OrganizationDialog } from './OrganizationDialog';

export function Component() {
  const search = useSearch();
  const can = useCan();
  const list = useList<Organization>('/api/organizations', { search: search.asked });
  const [edited, setEdited] = useState<Organization | 'new' | null>(null);
  const create = can('POST /api/organizations') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setEdited('new')}>
      New organisation
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Organisations"
        description="Each sees its own teams, users, keys and costs only."
        actions={create}
      />
      <DataTable<Organization>
        label="Organisations"
        list={list}
        search={{ ...search, placeholder: 'Name' }}
        rowKey={row => row.organization_id}
        rowName={row => row.name}
        columns={[
          { key: 'name', title: 'Name', cell: NameCell },
          { key: 'limits', title: 'Limits', cell: row => <LimitsText of={row.limits} />, wide: true },
          { key: 'id', title: 'Id', cell: row => <CopyText value={row.organization_id} />, wide: true },
          { key: 'created', title: 'Created', cell: row => <Time at={row.created_at} />, wide: true },
        ]}
        {...(can('PATCH /api/organizations/{organization}') && {
          actions: row => [{ label: 'Edit', icon: Pencil, onClick: () => setEdited(row) }],
        })}
        empty={<Empty icon={Building2} title="No organisations yet" action={create} />}
      />
      {edited && (
        <OrganizationDialog
          {...(edited !== 'new' && { organization: edited })}
          onClose={() => setEdited(null)}
        />
      )}
    </>
  );
}

function NameCell(row: Organization) {
  return (
    <Group gap="xs">
      <Name kind="organization" id={row.organization_id} link />
      {row.platform && <Badge variant="default">Platform</Badge>}
    </Group>
  );
}
