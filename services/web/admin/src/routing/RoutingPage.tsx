import { Badge, Group, Text } from '@mantine/core';
import { DataTable, Empty, PageHeader, Section, useCan, useResource } from '@llm-platform/shared';
import { Waypoints } from 'lucide-react';
import { ProviderState } from '../providers/health';
import { singlePage } from '../query/singlePage';
import type { ListedModel, ProviderHealth } from '../types';
import { DryRun } from './DryRun';

export function Component() {
  const can = useCan();
  const models = useResource<{ items: ListedModel[] }>('/api/models', {}, { live: 30 });
  const health = can('GET /api/providers');
  const providers = useResource<{ items: ProviderHealth[] }>(
    '/api/providers',
    {},
    { live: 30, enabled: health },
  );
  const serving = (model: string) => providers.data?.items.filter(each => each.models.includes(model)) ?? [];
  const ids = models.data?.items.map(model => model.id) ?? [];
  return (
    <>
      <PageHeader
        title="Routing"
        description="Which provider answers a call, and which one steps in when it fails."
      />
      {can('POST /api/routing:decide') && <DryRun models={ids} />}
      <Section title="Models" description="What programs may ask for, and who serves it." flush>
        <DataTable
          label="Models"
          list={singlePage(models)}
          rowKey={row => row.id}
          columns={[
            { key: 'model', title: 'Model', cell: row => <span className="mono">{row.id}</span> },
            ...(health
              ? [
                  {
                    key: 'providers',
                    title: 'Served by',
                    cell: (row: ListedModel) => (
                      <Group gap="lg">
                        {serving(row.id).map(each => (
                          <Group key={each.name} gap={8}>
                            {each.name}
                            <Text size="sm" c="dimmed" component="span">
                              <ProviderState of={each} />
                            </Text>
                          </Group>
                        ))}
                      </Group>
                    ),
                  },
                ]
              : [
                  {
                    key: 'owner',
                    title: 'Provider',
                    cell: (row: ListedModel) => <Badge variant="default">{row.owned_by}</Badge>,
                  },
                ]),
          ]}
          empty={
            <Empty icon={Waypoints} title="No models">
              No provider is ready to serve one.
            </Empty>
          }
        />
      </Section>
    </>
  );
}
