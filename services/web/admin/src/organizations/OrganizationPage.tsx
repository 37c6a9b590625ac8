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
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { EditDelete } from '../display/EditDelete';
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
          <EditDelete
            onEdit={can('PATCH /api/organizations/{organization}') ? () => setEditing(true) : undefined}
            onDelete={can('DELETE /api/organizations/{organization}') && !it.platform ? remove : undefined}
          />
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
