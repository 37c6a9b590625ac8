import { Badge, Group, Text } from '@mantine/core';
import { DataTable, Empty, Section, useCan, useResource } from '@llm-platform/shared';
import type { UseQueryResult } from '@tanstack/react-query';
import { Waypoints } from 'lucide-react';
import { ProviderState } from '../providers/health';
import { singlePage } from '../query/singlePage';
import type { ListedModel, ProviderHealth } from '../types';

/** What can be called now, and who answers it. */
export function Models({ read }: { read: UseQueryResult<{ items: ListedModel[] }> }) {
  const health = useCan()('GET /api/providers');
  const providers = useResource<{ items: ProviderHealth[] }>(
    '/api/providers',
    {},
    { live: 30, enabled: health },
  );
  const serving = (model: string) => providers.data?.items.filter(each => each.models.includes(model)) ?? [];
  return (
    <Section title="Models" description="What programs may ask for, and who serves it." flush>
      <DataTable
        label="Models"
        list={singlePage(read)}
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
  );
}
