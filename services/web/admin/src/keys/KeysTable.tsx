import { DataTable, Empty, Time, useList, useSearch, type Key } from '@llm-platform/shared';
import { KeyRound } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { Name } from '../names/Name';
import { KeyDialog } from './KeyDialog';
import { KeyState } from './KeyState';
import { RotateDialog } from './RotateDialog';
import { useKeyActions } from './useKeyActions';

interface KeysTableProps {
  /** Conditions of the list, as the API names them. */
  within?: Record<string, string | boolean>;
  searchName?: string;
  filters?: ReactNode;
  create?: ReactNode;
}

export function KeysTable({ within = {}, searchName, filters, create }: KeysTableProps) {
  const search = useSearch(searchName);
  const [opened, setOpened] = useState<{ dialog: 'edit' | 'rotate'; key: Key } | null>(null);
  const close = () => setOpened(null);
  const actions = useKeyActions({
    onEdit: key => setOpened({ dialog: 'edit', key }),
    onRotate: key => setOpened({ dialog: 'rotate', key }),
  });
  const list = useList<Key>('/api/keys', { ...within, search: search.asked });
  return (
    <>
      <DataTable
        label="API keys"
        list={list}
        search={{ ...search, placeholder: 'Name, or beginning of the key' }}
        filters={filters}
        rowKey={key => key.key_id}
        rowName={key => key.name}
        columns={[
          { key: 'name', title: 'Name', cell: key => <Name kind="key" id={key.key_id} link /> },
          {
            key: 'prefix',
            title: 'Key',
            cell: key => <span className="mono">{key.prefix}…</span>,
            wide: true,
          },
          ...('user' in within && within['user']
            ? []
            : [
                {
                  key: 'user',
                  title: 'User',
                  cell: (key: Key) => <Name kind="user" id={key.user_id} link />,
                  wide: true,
                },
              ]),
          { key: 'team', title: 'Team', cell: key => <Name kind="team" id={key.team_id} link />, wide: true },
          { key: 'state', title: 'State', cell: key => <KeyState of={key} /> },
          { key: 'created', title: 'Created', cell: key => <Time at={key.created_at} />, wide: true },
        ]}
        actions={actions}
        empty={
          <Empty icon={KeyRound} title="No keys yet" action={create}>
            Users also make their own keys, in the other dashboard.
          </Empty>
        }
      />
      {opened?.dialog === 'edit' && <KeyDialog apiKey={opened.key} onClose={close} />}
      {opened?.dialog === 'rotate' && <RotateDialog apiKey={opened.key} onClose={close} />}
    </>
  );
}
