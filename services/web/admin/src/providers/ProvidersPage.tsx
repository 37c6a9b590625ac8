import { Button, Skeleton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation } from '@tanstack/react-query';
import { api, Empty, Failure, PageHeader, useCan, useResource } from '@llm-platform/shared';
import { Plus, PlugZap, RotateCw } from 'lucide-react';
import { useState } from 'react';
import { changed } from '../query/changed';
import { ReadOnly } from '../rules/ReadOnly';
import { useRules } from '../rules/rules';
import type { ProviderHealth, SecretInfo } from '../types';
import { keyPath } from './keys';
import { Prices } from './Prices';
import { ProviderCard } from './ProviderCard';
import { ProviderDialog } from './ProviderDialog';

export function Component() {
  const can = useCan();
  const [adding, setAdding] = useState(false);
  const rules = useRules();
  const providers = useResource<{ items: ProviderHealth[] }>(
    '/api/providers',
    {},
    { live: rules.behind ? 2 : 15 },
  );
  const secrets = useResource<{ items: SecretInfo[] }>(
    '/api/secrets',
    { prefix: 'llm/' },
    { enabled: can('GET /api/secrets') },
  );
  const healths = providers.data?.items ?? [];
  // What is served but no longer in the rules is gone within seconds.
  const names = rules.data?.document?.providers.map(each => each.name) ?? healths.map(each => each.name);
  const waiting = providers.isPending || rules.isLoading;
  const error = providers.error ?? rules.error;
  return (
    <>
      <PageHeader
        title="Providers"
        description="Who answers the models' calls. A change is in force within seconds, everywhere."
        actions={
          <>
            {can('POST /api/providers:reload') && <ReadAgain />}
            {can('PUT /api/routing') && (
              <Button leftSection={<Plus size={16} />} disabled={!rules.data} onClick={() => setAdding(true)}>
                Add provider
              </Button>
            )}
          </>
        }
      />
      {rules.data && <ReadOnly />}
      {waiting && <Skeleton height={200} radius="lg" />}
      {error && names.length === 0 && (
        <Failure error={error} onRetry={() => void Promise.all([providers.refetch(), rules.refetch()])} />
      )}
      {!waiting && !error && names.length === 0 && (
        <Empty icon={PlugZap} title="No providers">
          Add one to have calls answered.
        </Empty>
      )}
      {!waiting &&
        names.map(name => (
          <ProviderCard
            key={name}
            name={name}
            health={healths.find(each => each.name === name)}
            unknown={!providers.data}
            rules={rules.data}
            secret={secrets.data?.items.find(secret => secret.path === keyPath(name))}
          />
        ))}
      {can('GET /api/prices') && healths.length > 0 && <Prices providers={healths} />}
      {adding && rules.data && <ProviderDialog rules={rules.data} onClose={() => setAdding(false)} />}
    </>
  );
}

function ReadAgain() {
  const reload = useMutation({
    mutationFn: () => api.post('/api/providers:reload'),
    onSuccess: async () => {
      notifications.show({ message: 'The providers and their keys were read again.' });
      await changed('/api/providers', '/api/models');
    },
  });
  return (
    <Button
      variant="default"
      leftSection={<RotateCw size={15} />}
      loading={reload.isPending}
      onClick={() => reload.mutate()}
    >
      Read again
    </Button>
  );
}
