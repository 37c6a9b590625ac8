import { Button, Skeleton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation } from '@tanstack/react-query';
import { api, Empty, Failure, PageHeader, useCan, useResource } from '@llm-platform/shared';
import { PlugZap, RotateCw } from 'lucide-react';
import { changed } from '../query/changed';
import type { ProviderHealth, SecretInfo } from '../types';
import { Prices } from './Prices';
import { keyPath, ProviderCard } from './ProviderCard';

export function Component() {
  const can = useCan();
  const providers = useResource<{ items: ProviderHealth[] }>('/api/providers', {}, { live: 15 });
  const secrets = useResource<{ items: SecretInfo[] }>(
    '/api/secrets',
    { prefix: 'llm/' },
    { enabled: can('GET /api/secrets') },
  );
  const items = providers.data?.items ?? [];
  return (
    <>
      <PageHeader
        title="Providers"
        description="Who answers the models' calls, as the configuration names them."
        actions={can('POST /api/providers:reload') && <ReadAgain />}
      />
      {providers.isPending && <Skeleton height={200} radius="lg" />}
      {providers.error && items.length === 0 && (
        <Failure error={providers.error} onRetry={() => void providers.refetch()} />
      )}
      {providers.data && items.length === 0 && (
        <Empty icon={PlugZap} title="No providers">
          Add one under <span className="mono">providers</span> in the configuration of model-proxy, then have
          it read again.
        </Empty>
      )}
      {items.map(provider => (
        <ProviderCard
          key={provider.name}
          provider={provider}
          secret={secrets.data?.items.find(secret => secret.path === keyPath(provider.name))}
        />
      ))}
      {can('GET /api/prices') && items.length > 0 && <Prices providers={items} />}
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
