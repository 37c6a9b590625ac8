import { Button, Drawer, Group, Stack, Text, Title } from '@mantine/core';
import { api, confirm, CopyText, Time, useCan } from '@llm-platform/shared';
import { Pencil, RefreshCw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { Facts } from '../display/Facts';
import { changed } from '../query/changed';
import type { SecretInfo } from '../types';
import { DescribeDialog } from './DescribeDialog';
import { Readers } from './Readers';
import { Labels, SecretState } from './SecretsFolder';
import { SecretValueDialog } from './SecretValueDialog';
import { secretUrl } from './url';
import { Versions } from './Versions';

/** All there is to know of a secret but its value. */
export function SecretDrawer({ secret, onClose }: { secret: SecretInfo; onClose: () => void }) {
  const can = useCan();
  const [dialog, setDialog] = useState<'value' | 'describe' | null>(null);
  const close = () => setDialog(null);
  const remove = () =>
    confirm({
      title: `Delete ${secret.path}?`,
      message: 'All its versions are destroyed. Services that use it lose it within seconds.',
      action: 'Delete secret',
      phrase: secret.path,
      onConfirm: async () => {
        await api.delete(secretUrl(secret.path));
        onClose();
        await changed('/api/secrets', '/api/providers');
      },
    });
  return (
    <Drawer opened onClose={onClose} position="right" size="xl" title={<CopyText value={secret.path} />}>
      <Stack gap="xl">
        <Group gap="xs">
          {can('PUT /api/secrets/{path...}') && (
            <Button leftSection={<RefreshCw size={15} />} onClick={() => setDialog('value')}>
              {secret.current_version ? 'Rotate' : 'Set a value'}
            </Button>
          )}
          {can('PATCH /api/secrets/{path...}') && (
            <Button
              variant="default"
              leftSection={<Pencil size={15} />}
              onClick={() => setDialog('describe')}
            >
              Describe
            </Button>
          )}
          {can('DELETE /api/secrets/{path...}') && (
            <Button variant="default" leftSection={<Trash2 size={15} />} onClick={remove}>
              Delete
            </Button>
          )}
        </Group>
        {secret.description && <Text>{secret.description}</Text>}
        <Facts
          items={[
            ['State', <SecretState of={secret} />],
            ['Written', <Who at={secret.updated_at} by={secret.updated_by} />],
            ['First set', <Who at={secret.created_at} by={secret.created_by} />],
            ['Reminder to replace it', <Time at={secret.expires_at} none="None" />],
            Object.keys(secret.labels).length > 0 && ['Labels', <Labels of={secret.labels} />],
          ]}
        />
        <section>
          <Title order={3} mb="xs">
            Versions
          </Title>
          <Versions secret={secret} />
        </section>
        {can('GET /api/secrets/{path...}:accesses') && (
          <section>
            <Title order={3} mb="xs">
              Who read or changed it
            </Title>
            <Readers path={secret.path} />
          </section>
        )}
      </Stack>
      {dialog === 'value' && <SecretValueDialog path={secret.path} secret={secret} onClose={close} />}
      {dialog === 'describe' && <DescribeDialog secret={secret} onClose={close} />}
    </Drawer>
  );
}

function Who({ at, by }: { at: string; by: string }) {
  return (
    <>
      <Time at={at} />
      {by && ` by ${by}`}
    </>
  );
}
