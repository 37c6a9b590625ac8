import { Button, Group, Menu } from '@mantine/core';
import {
  CopyText,
  PageHeader,
  path,
  roleName,
  Section,
  Time,
  useCan,
  useResource,
  type User,
} from '@llm-platform/shared';
import { ChevronDown } from 'lucide-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { Facts } from '../display/Facts';
import { LimitsText } from '../display/LimitsText';
import { BackTo, PageState } from '../display/PageState';
import { TextLink } from '../display/TextLink';
import { KeysTable } from '../keys/KeysTable';
import { Name } from '../names/Name';
import { UserDialog } from './UserDialog';
import { UserSessions } from './UserSessions';
import { UserState } from './UsersTable';
import { useUserActions } from './useUserActions';
import { kindName } from './words';

export function Component() {
  const { user: id = '' } = useParams();
  const can = useCan();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const read = useResource<User>(path`/api/users/${id}`);
  const actionsOf = useUserActions({
    onEdit: () => setEditing(true),
    onDeleted: () => navigate('/users'),
  });
  if (!read.data) return <PageState title="User" error={read.error} onRetry={() => void read.refetch()} />;
  const user = read.data;
  const actions = actionsOf(user);
  return (
    <>
      {can('GET /api/users') && <BackTo to="/users">Users</BackTo>}
      <PageHeader
        title={user.name}
        actions={
          actions.length > 0 && (
            <Menu>
              <Menu.Target>
                <Button variant="default" rightSection={<ChevronDown size={15} />}>
                  Actions
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                {actions.map(({ label, icon: Icon, onClick, dangerous }) => (
                  <Menu.Item
                    key={label}
                    leftSection={Icon && <Icon size={15} />}
                    onClick={onClick}
                    {...(dangerous && { color: 'var(--mantine-color-error)' })}
                  >
                    {label}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
          )
        }
      />
      <Section>
        <Facts
          items={[
            ['State', <UserState of={user} />],
            ['Role', roleName(user.role)],
            ['Kind', kindName(user.kind)],
            ['Organisation', <Name kind="organization" id={user.organization_id} link />],
            ['Teams', <Teams of={user} />],
            ['Limits of all its keys together', <LimitsText of={user.limits} />],
            ['Id', <CopyText value={user.user_id} />],
            ['Created', <Time at={user.created_at} />],
            ['Costs', <TextLink to={`/usage?user=${user.user_id}&by=key`}>What it used</TextLink>],
          ]}
        />
      </Section>
      <Section title="Keys" flush>
        <KeysTable within={{ user: user.user_id }} searchName="keys" />
      </Section>
      {user.kind !== 'service_account' && can('DELETE /api/users/{user}/sessions') && (
        <UserSessions user={user} />
      )}
      {editing && <UserDialog user={user} onClose={() => setEditing(false)} />}
    </>
  );
}

function Teams({ of: user }: { of: User }) {
  if (user.team_ids.length === 0) return <>None</>;
  return (
    <Group gap={8}>
      {user.team_ids.map(id => (
        <Name key={id} kind="team" id={id} link />
      ))}
    </Group>
  );
}
