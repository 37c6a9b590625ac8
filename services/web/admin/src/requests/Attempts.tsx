import { Group } from '@mantine/core';
import {
  DataTable,
  Empty,
  FilterSelect,
  Money,
  PeriodPicker,
  Section,
  shortCount,
  Status,
  useCan,
  useFilters,
  useResource,
} from '@llm-platform/shared';
import { ListTree } from 'lucide-react';
import { useMemo } from 'react';
import { Name } from '../names/Name';
import { SubjectSelect } from '../names/SubjectSelect';
import type { Attempt, ProviderHealth } from '../types';
import { durationWords, milliseconds } from './course';
import { When } from './FoundByProvider';
import { spanOf, SPANS } from './span';
import { useAttempts } from './useAttempts';
import { Result } from './words';
import classes from './Requests.module.css';

const NO_FILTERS = {
  key: '',
  user: '',
  provider: '',
  model: '',
  counted: '',
  period: '24h',
  since: '',
  to: '',
};
const COUNTED = [
  { value: 'exact', label: 'Exactly' },
  { value: 'estimated', label: 'Estimated' },
  { value: 'uncertain', label: 'Uncertain' },
];

/** The newest calls of providers. */
export function Attempts() {
  const can = useCan();
  const [filters, setFilters] = useFilters(NO_FILTERS);
  const providers = useResource<{ items: ProviderHealth[] }>(
    '/api/providers',
    {},
    { enabled: can('GET /api/providers') },
  );
  const known = providers.data?.items ?? [];
  const models = known.filter(each => !filters.provider || each.name === filters.provider);
  const { period, since, to } = filters;
  // The beginning stays while pages are read.
  const span = useMemo(() => spanOf(period, since, to), [period, since, to]);
  const list = useAttempts({
    ...span,
    key_id: filters.key,
    user_id: filters.user,
    provider: filters.provider,
    model: filters.model,
    certainty: filters.counted,
  });
  return (
    <Section
      title="Calls of providers"
      description="As they are charged now, newest first. A request that was tried again has several."
      flush
    >
      <DataTable
        label="Calls of providers"
        list={list}
        filters={
          <Group gap="xs">
            <FilterSelect
              label="Provider"
              placeholder="All providers"
              data={choices(
                known.map(each => each.name),
                filters.provider,
              )}
              value={filters.provider}
              w={150}
              onChange={provider => setFilters({ provider })}
            />
            <FilterSelect
              label="Model"
              placeholder="All models"
              searchable
              data={choices(
                models.flatMap(each => each.models),
                filters.model,
              )}
              value={filters.model}
              w={170}
              onChange={model => setFilters({ model })}
            />
            {can('GET /api/users') && (
              <SubjectSelect
                kind="user"
                aria-label="User"
                placeholder="All users"
                value={filters.user}
                w={150}
                onChange={user => setFilters({ user })}
              />
            )}
            {can('GET /api/keys') && (
              <SubjectSelect
                kind="key"
                aria-label="Key"
                placeholder="All keys"
                value={filters.key}
                w={150}
                onChange={key => setFilters({ key })}
              />
            )}
            <FilterSelect
              label="Counted"
              placeholder="Counted in any way"
              data={COUNTED}
              value={filters.counted}
              w={170}
              onChange={counted => setFilters({ counted })}
            />
            <PeriodPicker filter={filters} onChange={setFilters} periods={SPANS} />
          </Group>
        }
        rowKey={row => row.attempt_id}
        columns={[
          { key: 'when', title: 'When', cell: row => <When of={row} /> },
          { key: 'model', title: 'Model', cell: row => `${row.provider} / ${row.model}` },
          { key: 'key', title: 'Key', cell: row => <Name kind="key" id={row.key_id} link />, wide: true },
          { key: 'tokens', title: 'Tokens in / out', cell: tokens, numeric: true, wide: true },
          {
            key: 'first',
            title: 'First byte',
            cell: row => <Took of={row.first_byte_us} />,
            numeric: true,
            wide: true,
          },
          {
            key: 'took',
            title: 'Took',
            cell: row => <Took of={row.duration_us} />,
            numeric: true,
            wide: true,
          },
          { key: 'cost', title: 'Cost', cell: row => <Money amount={row.amount} />, numeric: true },
          { key: 'result', title: 'Result', cell: row => <Result of={row.result} open={false} /> },
          { key: 'certainty', title: 'Counted', cell: row => <Certainty of={row} />, wide: true },
        ]}
        empty={
          <Empty icon={ListTree} title="No calls">
            No provider was called so in this time.
          </Empty>
        }
      />
    </Section>
  );
}

/** What is chosen stays among the choices, also when it is gone. */
function choices(names: readonly string[], chosen: string): string[] {
  return [...new Set([...names, ...(chosen ? [chosen] : [])])].toSorted();
}

function tokens({ usage }: Attempt): string {
  return usage ? `${shortCount(usage.input_tokens)} / ${shortCount(usage.output_tokens)}` : '–';
}

function Took({ of: microseconds }: { of: string }) {
  const ms = milliseconds(microseconds);
  return <span className={classes.whole}>{ms === undefined ? '–' : durationWords(ms)}</span>;
}

function Certainty({ of: { certainty, resolved } }: { of: Attempt }) {
  if (resolved) return <Status tone="good">Checked</Status>;
  if (certainty === 'exact') return <Status tone="good">Exactly</Status>;
  return (
    <Status tone={certainty === 'uncertain' ? 'warning' : 'neutral'}>
      {certainty === 'uncertain' ? 'Uncertain' : 'Estimated'}
    </Status>
  );
}
