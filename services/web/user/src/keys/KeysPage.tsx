import { Button, Modal, Switch, Text } from '@mantine/core';
import {
  confirm,
  DataTable,
  Empty,
  PageHeader,
  showSecret,
  Time,
  useCan,
  useList,
  useSearch,
  useSession,
  type Column,
  type CreatedKey,
  type Key,
} from '@llm-platform/shared';
import { Ban, KeyRound, Pencil, Plus, RefreshCw } from 'lucide-react';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { KeyForm } from './KeyForm';
import { KEYS, revokeKey } from './keys';
import { KeyState } from './KeyState';
import { RotateForm } from './RotateForm';

type Open = { dialog: 'new' } | { dialog: 'edit' | 'rotate'; key: Key } | null;

export function Component() {
  const can = useCan();
  const { user_id } = useSession();
  const [query, setQuery] = useSearchParams();
  const [open, setOpen] = useState<Open>(() =>
    query.get('new') && can('POST /api/keys') ? { dialog: 'new' } : null,
  );
  const search = useSearch();
  const revoked = query.get('revoked') === '1';
  const list = useList<Key>(
    KEYS,
    { user: user_id, search: search.asked, include_revoked: revoked },
    { live: 60 },
  );
  const close = () => {
    setOpen(null);
    setQuery(current => marked(current, 'new', false), { replace: true });
  };
  const onSecret = (made: CreatedKey, title: string) => {
    close();
    showSecret({
      title,
      secret: made.secret,
      message: `It is kept as "${made.key.name}", ${made.key.prefix}…`,
    });
  };
  const actions = (key: Key) => {
    if (key.revoked_at) return [];
    return [
      ...(can('PATCH /api/keys/{key}')
        ? [{ label: 'Edit…', icon: Pencil, onClick: () => setOpen({ dialog: 'edit', key }) }]
        : []),
      ...(can('POST /api/keys/{key}:rotate') && !key.replaced_by
        ? [{ label: 'Rotate…', icon: RefreshCw, onClick: () => setOpen({ dialog: 'rotate', key }) }]
        : []),
      ...(can('DELETE /api/keys/{key}')
        ? [{ label: 'Revoke…', icon: Ban, dangerous: true, onClick: () => revoke(key) }]
        : []),
    ];
  };
  const make = can('POST /api/keys') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setOpen({ dialog: 'new' })}>
      New key
    </Button>
  );

  return (
    <>
      <PageHeader
        title="Keys"
        description="With a key your programs call models in your name."
        actions={make}
      />
      <DataTable
        label="Your API keys"
        list={list}
        search={{ ...search, placeholder: 'Name, or beginning of the key' }}
        filters={
          <Switch
            label="Show revoked"
            checked={revoked}
            onChange={event => {
              const shown = event.currentTarget.checked;
              setQuery(current => marked(current, 'revoked', shown), { replace: true });
            }}
          />
        }
        rowKey={key => key.key_id}
        rowName={key => key.name}
        columns={COLUMNS}
        actions={actions}
        empty={
          <Empty icon={KeyRound} title="No keys yet" action={make}>
            Make one for each program that calls models: then each can be limited, watched and revoked on its
            own.
          </Empty>
        }
      />
      <Modal
        opened={open?.dialog === 'new'}
        onClose={close}
        title={<Text fw={600}>New key</Text>}
        size="lg"
        closeOnClickOutside={false}
      >
        <KeyForm onCreated={made => onSecret(made, 'Your new key')} onClose={close} />
      </Modal>
      <Modal
        opened={open?.dialog === 'edit'}
        onClose={close}
        title={<Text fw={600}>Edit key</Text>}
        size="lg"
        closeOnClickOutside={false}
      >
        {open?.dialog === 'edit' && <KeyForm edited={open.key} onClose={close} />}
      </Modal>
      <Modal opened={open?.dialog === 'rotate'} onClose={close} title={<Text fw={600}>Rotate key</Text>}>
        {open?.dialog === 'rotate' && (
          <RotateForm rotated={open.key} onRotated={made => onSecret(made, 'The new key')} onClose={close} />
        )}
      </Modal>
    </>
  );
}

const COLUMNS: readonly Column<Key>[] = [
  {
    key: 'name',
    title: 'Name',
    cell: key => (
      <>
        <Text fw={500}>{key.name}</Text>
        <Text c="dimmed" className="mono">
          {key.prefix}…
        </Text>
      </>
    ),
  },
  { key: 'state', title: 'State', cell: key => <KeyState of={key} /> },
  {
    key: 'models',
    title: 'Models',
    wide: true,
    cell: key => (key.allowed_models.length ? key.allowed_models.join(', ') : <Text c="dimmed">all</Text>),
  },
  { key: 'expires', title: 'Expires', wide: true, cell: key => <Time at={key.expires_at} none="never" /> },
  { key: 'created', title: 'Created', wide: true, cell: key => <Time at={key.created_at} /> },
];

function revoke(key: Key): void {
  confirm({
    title: `Revoke "${key.name}"?`,
    message: (
      <>
        Programs that use <span className="mono">{key.prefix}…</span> are refused within seconds, and it
        cannot be brought back. To replace a key without an interruption, rotate it.
      </>
    ),
    action: 'Revoke key',
    onConfirm: () => revokeKey(key),
  });
}

/** The query of an address with a mark set, or taken away. */
function marked(query: URLSearchParams, name: string, on: boolean): URLSearchParams {
  const next = new URLSearchParams(query);
  if (on) next.set(name, '1');
  else next.delete(name);
  return next;
}
