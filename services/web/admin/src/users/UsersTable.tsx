import {
  DataTable,
  Empty,
  roleName,
  Status,
  Time,
  useList,
  useSearch,
  type RowAction,
  type User,
} from '@llm-platform/shared';
import { Users } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { Name } from '../names/Name';
import { useUserActions } from './useUserActions';
import { UserDialog } from './UserDialog';
import { kindName } from './words';

interface UsersTableProps {
  /** Conditions of the list, as the API names them. */
  within?: Record<string, string>;
  searchName?: string;
  filters?: ReactNode;
  create?: ReactNode;
  showOrganization?: boolean;
  moreActions?: (user: User) => RowAction[];
}

export function UsersTable(props: UsersTableProps) {
  const { within = {}, searchName, filters, create, showOrganization, moreActions } = props;
  const search = useSearch(searchName);
  const [edited, setEdited] = useState<User | null>(null);
  const actionsOf = useUserActions({ onEdit: setEdited });
  const list = useList<User>('/api/users', { ...within, search: search.asked });
  return (
    <>
      <DataTable
        label="Users"
        list={list}
        search={{ ...search, placeholder: 'User name' }}
        filters={filters}
        rowKey={row => row.user_id}
        rowName={row => row.name}
        columns={[
          { key: 'name', title: 'Name', cell: row => <Name kind="user" id={row.user_id} link /> },
          { key: 'role', title: 'Role', cell: row => roleName(row.role) },
          { key: 'kind', title: 'Kind', cell: row => kindName(row.kind), wide: true },
          ...(showOrganization
            ? [
                {
                  key: 'organization',
                  title: 'Organisation',
                  cell: (row: User) => <Name kind="organization" id={row.organization_id} link />,
                  wide: true,
                },
              ]
            : []),
          { key: 'state', title: 'State', cell: row => <UserState of={row} />, wide: true },
          { key: 'created', title: 'Created', cell: row => <Time at={row.created_at} />, wide: true },
        ]}
        actions={user => [...(moreActions?.(user) ?? []), ...actionsOf(user)]}
        empty={
          <Empty icon={Users} title="Nobody yet" action={create}>
            Users sign in and have keys; service accounts only have keys.
          </Empty>
        }
      />
      {edited && <UserDialog user={edited} onClose={() => setEdited(null)} />}
    </>
  );
}

export function UserState({ of: user }: { of: User }) {
  return user.disabled_at ? <Status tone="bad">Disabled</Status> : <Status tone="good">Active</Status>;
}
