import { Button, Skeleton, Table, Text, TextInput } from '@mantine/core';
import {
  CopyText,
  Empty,
  exactCount,
  Failure,
  PageHeader,
  perMillion,
  Section,
  useCan,
  useResource,
  type Model,
  type ModelPrice,
} from '@llm-platform/shared';
import { Boxes, Search } from 'lucide-react';
import { useState } from 'react';
import { useModels } from './useModels';

const SHOWN_AT_FIRST = 25;

export function Component() {
  const models = useModels();
  const [search, setSearch] = useState('');
  const [most, setMost] = useState(SHOWN_AT_FIRST);
  const wanted = search.trim().toLowerCase();
  const found = (models.data?.items ?? []).filter(model =>
    `${model.id} ${model.owned_by}`.toLowerCase().includes(wanted),
  );
  return (
    <>
      <PageHeader
        title="Models"
        description="What you can call, with the price of a million tokens in US dollars."
      />
      <Section flush>
        {models.error && !models.data ? (
          <Failure error={models.error} onRetry={() => void models.refetch()} />
        ) : models.data?.items.length === 0 ? (
          <Empty icon={Boxes} title="No models yet">
            An administrator has to set up a provider first.
          </Empty>
        ) : (
          <>
            <TextInput
              type="search"
              aria-label="Search models"
              placeholder="Name or provider"
              leftSection={<Search size={15} />}
              value={search}
              onChange={event => setSearch(event.currentTarget.value)}
              maw={340}
              m="sm"
            />
            <Table.ScrollContainer minWidth={560} type="native" tabIndex={0}>
              <Table aria-label="Models" aria-busy={models.isPending}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Model</Table.Th>
                    <Table.Th>Provider</Table.Th>
                    <Table.Th ta="right">Input</Table.Th>
                    <Table.Th ta="right">Cached input</Table.Th>
                    <Table.Th ta="right">Output</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {found.slice(0, most).map(model => (
                    <ModelRow key={model.id} model={model} />
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            {wanted && found.length === 0 && (
              <Empty title="Nothing found">No model matches "{search}".</Empty>
            )}
            {found.length > most && (
              <Button variant="subtle" fullWidth onClick={() => setMost(most + SHOWN_AT_FIRST)}>
                Show more
              </Button>
            )}
          </>
        )}
      </Section>
    </>
  );
}

/** Prices come one by one, for the rows that are shown. */
function ModelRow({ model }: { model: Model }) {
  const can = useCan();
  const allowed = can('GET /api/prices');
  const price = useResource<{ items: ModelPrice[] }>(
    '/api/prices',
    { provider: model.owned_by, model: model.id },
    { enabled: allowed, fresh: 3600 },
  );
  const tiers = price.data?.items[0]?.tiers ?? [];
  const cell = (kind: 'input' | 'cached_input' | 'output') => {
    if (allowed && price.isPending) return <Skeleton height={12} width={48} ml="auto" my={5} />;
    if (tiers.length === 0)
      return (
        <Text span c="dimmed">
          {price.error ? '?' : '–'}
        </Text>
      );
    return tiers.map(tier => (
      <div key={tier.above}>
        {perMillion(tier[kind])}
        {BigInt(tier.above) > 0n && (
          <Text span c="dimmed" size="xs">
            {' '}
            above {exactCount(tier.above)}
          </Text>
        )}
      </div>
    ));
  };
  return (
    <Table.Tr>
      <Table.Td>
        <CopyText value={model.id} />
      </Table.Td>
      <Table.Td>{model.owned_by}</Table.Td>
      <Table.Td ta="right" className="numeric">
        {cell('input')}
      </Table.Td>
      <Table.Td ta="right" className="numeric">
        {cell('cached_input')}
      </Table.Td>
      <Table.Td ta="right" className="numeric">
        {cell('output')}
      </Table.Td>
    </Table.Tr>
  );
}
