import { Button, Drawer, Stack, Text, Textarea, UnstyledButton } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  DataTable,
  Empty,
  Failure,
  path,
  Section,
  Status,
  Time,
  useCan,
  useList,
  useResource,
} from '@llm-platform/shared';
import { History, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { Facts } from '../display/Facts';
import { FormDialog } from '../forms/FormDialog';
import { Changes } from '../rules/Changes';
import { summary } from '../rules/changes';
import { readRules, restore } from '../rules/rules';
import type { RoutingRevision } from '../types';
import classes from '../rules/Rules.module.css';

/** Everything that was in force, newest first: who changed what, why, and the way back. */
export function Revisions({ rules }: { rules: RoutingRevision }) {
  const can = useCan();
  const [shown, setShown] = useState<RoutingRevision>();
  const [restoring, setRestoring] = useState<RoutingRevision>();
  const list = useList<RoutingRevision>('/api/routing/revisions', {}, { live: 30, pageSize: 20 });
  const may = can('POST /api/routing/revisions/{number}:restore');
  return (
    <Section title="Revisions" description="What was changed, and the way back." flush>
      <DataTable
        label="Revisions"
        list={list}
        rowKey={row => String(row.number)}
        rowName={row => `revision ${row.number}`}
        columns={[
          {
            key: 'number',
            title: 'Revision',
            cell: row => (
              <UnstyledButton className={classes.open} onClick={() => setShown(row)}>
                {row.number}
              </UnstyledButton>
            ),
          },
          { key: 'what', title: 'What changed', cell: row => whatWords(row) },
          { key: 'note', title: 'Why', cell: row => row.note || '–', wide: true },
          { key: 'who', title: 'By', cell: row => row.actor, wide: true },
          { key: 'when', title: 'When', cell: row => <Time at={row.created_at} /> },
          {
            key: 'state',
            title: '',
            cell: row => row.number === rules.number && <Status tone="good">In force</Status>,
            wide: true,
          },
        ]}
        {...(may && {
          actions: (row: RoutingRevision) =>
            row.number === rules.number
              ? []
              : [{ label: 'Restore…', icon: Undo2, onClick: () => setRestoring(row) }],
        })}
        empty={
          <Empty icon={History} title="Nothing was changed yet">
            The configuration file is in force. The first change keeps what it says as revision 1.
          </Empty>
        }
      />
      {shown && (
        <RevisionDrawer
          number={shown.number}
          {...(may && shown.number !== rules.number && { onRestore: () => setRestoring(shown) })}
          onClose={() => setShown(undefined)}
        />
      )}
      {restoring && (
        <RestoreDialog
          revision={restoring}
          etag={rules.etag}
          onClose={() => {
            setRestoring(undefined);
            setShown(undefined);
          }}
        />
      )}
    </Section>
  );
}

function whatWords(row: RoutingRevision): string {
  const changed = summary(row.changes);
  if (row.source === 'restore') return `Restored revision ${row.restored}${changed && `: ${changed}`}`;
  if (row.source === 'file')
    return changed ? `Configuration file: ${changed}` : 'As the configuration file said';
  return changed || 'Nothing';
}

interface RevisionDrawerProps {
  number: number;
  onRestore?: () => void;
  onClose: () => void;
}

function RevisionDrawer({ number, onRestore, onClose }: RevisionDrawerProps) {
  const read = useResource<RoutingRevision>(path`/api/routing/revisions/${String(number)}`);
  const it = read.data;
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={<Text fw={600}>Revision {number}</Text>}
    >
      {read.error && <Failure error={read.error} onRetry={() => void read.refetch()} />}
      {it && (
        <Stack gap="xl">
          <Facts
            items={[
              ['When', <Time at={it.created_at} />],
              ['By', it.actor],
              ['Why', it.note || '–'],
            ]}
          />
          <div>
            <Changes of={it.changes} />
          </div>
          {onRestore && (
            <Button
              variant="default"
              leftSection={<Undo2 size={15} />}
              onClick={onRestore}
              style={{ alignSelf: 'flex-start' }}
            >
              Restore revision {number}
            </Button>
          )}
        </Stack>
      )}
    </Drawer>
  );
}

interface RestoreDialogProps {
  revision: RoutingRevision;
  etag: string;
  onClose: () => void;
}

/** Asks, and takes the reason. */
function RestoreDialog({ revision: { number }, etag, onClose }: RestoreDialogProps) {
  const [based, setBased] = useState(etag);
  const form = useForm({ initialValues: { note: `Back to revision ${number}` } });
  return (
    <FormDialog
      title={`Restore revision ${number}?`}
      action="Restore"
      form={form}
      save={({ note }) => restore(number, based, note.trim())}
      onClose={onClose}
      reload={async () => setBased((await readRules()).etag)}
      size="md"
    >
      <Text>
        Everything that it said becomes a new revision, in force within seconds. What was changed since then
        is undone, and can be restored in turn.
      </Text>
      <Textarea
        label="Why"
        autosize
        minRows={2}
        maxLength={1000}
        data-autofocus
        {...form.getInputProps('note')}
      />
    </FormDialog>
  );
}
