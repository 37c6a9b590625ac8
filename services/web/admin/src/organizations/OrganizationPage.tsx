import { Button } from '@mantine/core';
import {
  api,
  confirm,
  CopyText,
  PageHeader,
  path,
  Section,
  Time,
  useCan,
  useResource,
  type Organization,
} from '@llm-platform/shared';
import { Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { Facts } from '../display/Facts';
import { LimitsText } from '../display/LimitsText';
import { BackTo, PageState } from '../display/PageState';
import { TextLink } from '../display/TextLink';
import { changed } from '../query/changed';
import { TeamsTable } from '../teams/TeamsTable';
import { UsersTable } from '../users/UsersTable';
import { OrganizationDialog } from './OrganizationDialog';

export function Component() {
  const { organization: id = '' } = useParams();
  const can = useCan();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const url = path`/api/organizations/${id}`;
  const read = useResource<Organization>(url);
  if (!read.data)
    return <PageState title="Organisation" error={read.error} onRetry={() => void read.refetch()} />;
  const it = read.data;
  const remove = () =>
    confirm({
      title: `Delete ${it.name}?`,
      message: 'An organisation can be deleted when it has no users and no teams. It cannot be brought back.',
      action: 'Delete organisation',
      phrase: it.name,
      onConfirm: async () => {
        await api.delete(url);
        await navigate('/organizations');
        await changed('/api/organizations', '/api/keys');
      },
    });
  return (
    <>
      {can('GET /api/organizations') && <BackTo to="/organizations">Organisations</BackTo>}
      <PageHeader
        title={it.name}
        actions={
          <>
            {can('DELETE /api/organizations/{organization}') && !it.platform && (
              <Button variant="default" leftSection={<Trash2 size={16} />} onClick={remove}>
                Delete
              </Button>
            )}
            {can('PATCH /api/organizations/{organization}') && (
              <Button leftSection={<Pencil size={16} />} onClick={() => setEditing(true)}>
                Edit
              </Button>
            )}
          </>
        }
      />
      <Section>
        <Facts
          items={[
            ['Id', <CopyText value={it.organization_id} />],
            ['Limits', <LimitsText of={it.limits} />],
            ['Created', <Time at={it.created_at} />],
            it.platform && ['Rights', 'Its owners and administrators administer the whole platform.'],
            [
              'Costs',
              <TextLink to={`/usage?organization=${it.organization_id}&by=team`}>What it used</TextLink>,
            ],
          ]}
        />
      </Section>
      <Section title="Teams" flush>
        <TeamsTable within={{ organization: it.organization_id }} searchName="teams" />
      </Section>
      {can('GET /api/users') && (
        <Section title="Users" flush>
          <UsersTable within={{ organization: it.organization_id }} searchName="users" />
        </Section>
      )}
      {editing && <OrganizationDialog organization={it} onClose={() => setEditing(false)} />}
    </>
  );
}
