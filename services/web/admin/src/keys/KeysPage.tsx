import { Switch } from '@mantine/core';
import {
  api,
  confirm,
  DataTable,
  Empty,
  PageHeader,
  path,
  queryClient,
  Status,
  Time,
  useCan,
  useList,
  useSearch,
  type Key,
} from '@llm-platform/shared';
import { Ban, KeyRound } from 'lucide-react';
import { useState } from 'react';

const KEYS = '/api/keys';

export function Component() {
  const search = useSearch();
  const [revoked, setRevoked] = useState(false);
  const can = useCan();
  const list = useList<Key>(KEYS, { search: search.asked, include_revoked: revoked });
  return (
    <>
      <PageHeader title="Keys" description="API keys of all users, newest first." />
      <DataTable
        label="API keys"
        list={list}
        search={{ ...search, placeholder: 'Name, or beginning of the key' }}
        filters={
          <Switch
            label="Show revoked"
            checked={revoked}
            onChange={event => setRevoked(event.currentTarget.checked)}
          />
        }
        rowKey={key => key.key_id}
        rowName={key => key.name}
        columns={[
          { key: 'name', title: 'Name', cell: key => key.name },
          { key: 'prefix', title: 'Key', cell: key => <span className="mono">{key.prefix}…</span> },
          { key: 'user', title: 'User', cell: key => key.user_id, wide: true },
          { key: 'state', title: 'State', cell: key => <KeyState of={key} /> },
          { key: 'created', title: 'Created', cell: key => <Time at={key.created_at} />, wide: true },
        ]}
        actions={key =>
          can('DELETE /api/keys/{key}') && !key.revoked_at
            ? [{ label: 'Revoke…', icon: Ban, dangerous: true, onClick: () => revoke(key) }]
            : []
        }
        empty={
          <Empty icon={KeyRound} title="No keys yet">
            Users make their own keys in the other dashboard.
          </Empty>
        }
      />
    </>
  );
}

function KeyState({ of: key }: { of: Key }) {
  if (key.revoked_at) return <Status tone="neutral">Revoked</Status>;
  return <Status tone="good">Active</Status>;
}

function revoke(key: Key): void {
  confirm({
    title: `Revoke the key "${key.name}"?`,
    message: 'Applications that use it are refused within seconds. A revoked key cannot be brought back.',
    action: 'Revoke key',
    onConfirm: async () => {
      await api.delete(path`/api/keys/${key.key_id}`);
      await queryClient.invalidateQueries({ queryKey: [KEYS] });
    },
  });
}
