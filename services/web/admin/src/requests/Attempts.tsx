import { Select, Switch } from '@mantine/core';
import {
  DataTable,
  Empty,
  Money,
  Notice,
  Section,
  Status,
  Time,
  useCan,
  useFilters,
  useResource,
} from '@llm-platform/shared';
import { ListTree } from 'lucide-react';
import { useState } from 'react';
import { tokenColumns } from '../display/tokenColumns';
import { Name } from '../names/Name';
import type { Attempt, ProviderHealth } from '../types';
import { useAttempts } from './useAttempts';
import classes from './Requests.module.css';

const WINDOWS = [
  { value: '15', label: 'Last 15 minutes' },
  { value: '60', label: 'Last hour' },
  { value: '360', label: 'Last 6 hours' },
  { value: '1440', label: 'Last 24 hours' },
  { value: '10080', label: 'Last 7 days' },
];
const AT_ONCE = 50;
const MINUTE_MS = 60_000;

/** The newest calls of a provider. */
export function Attempts() {
  const can = useCan();
  const [filters, setFilters] = useFilters({ provider: '', minutes: '1440', unresolved: '' });
  const [shown, setShown] = useState(AT_ONCE);
  const providers = useResource<{ items: ProviderHealth[] }>(
    '/api/providers',
    {},
    { enabled: can('GET /api/providers') },
  );
  const names = providers.data?.items.map(each => each.name) ?? [];
  const provider = filters.provider || names[0] || '';
  const minutes = Number(filters.minutes) || 60;
  const since = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - minutes * MINUTE_MS).toISOString();
  const attempts = useAttempts(
    { provider, since, unresolved: filters.unresolved === 'yes' },
    provider !== '',
  );
  const items = attempts.data?.items ?? [];
  return (
    <Section title="Calls of providers" description="As they are charged now, newest first." flush>
      {attempts.data?.more && (
        <div className={classes.notice}>
          <Notice kind="info">
            There are later calls than are shown. Choose a shorter time to see the newest.
          </Notice>
        </div>
      )}
      <DataTable
        label="Calls of providers"
        list={{
          items: items.slice(0, shown),
          loading: attempts.isPending && (provider !== '' || providers.isPending),
          refreshing: attempts.isPlaceholderData,
          error: attempts.error ?? providers.error,
          more: shown < items.length,
          loadingMore: false,
          loadMore: () => setShown(shown + AT_ONCE),
          retry: () => void (provider ? attempts.refetch() : providers.refetch()),
        }}
        filters={
          <>
            <Select
              aria-label="Provider"
              data={[...new Set([...names, ...(provider ? [provider] : [])])]}
              value={provider || null}
              allowDeselect={false}
              w={170}
              onChange={value => value && setFilters({ provider: value })}
            />
            <Select
              aria-label="Time"
              data={WINDOWS}
              value={filters.minutes}
              allowDeselect={false}
              w={160}
              onChange={value => value && setFilters({ minutes: value })}
            />
            <Switch
              label="Uncertain only"
              checked={filters.unresolved === 'yes'}
              onChange={event => setFilters({ unresolved: event.currentTarget.checked ? 'yes' : '' })}
            />
          </>
        }
        rowKey={row => row.attempt_id}
        columns={[
          { key: 'when', title: 'When', cell: row => <Time at={row.reserved_at} /> },
          { key: 'model', title: 'Model', cell: row => row.model },
          { key: 'key', title: 'Key', cell: row => <Name kind="key" id={row.key_id} link />, wide: true },
          ...tokenColumns<Attempt>(),
          { key: 'cost', title: 'Cost', cell: row => <Money amount={row.amount} />, numeric: true },
          { key: 'certainty', title: 'Counted', cell: row => <Certainty of={row} />, wide: true },
        ]}
        empty={
          <Empty icon={ListTree} title="No calls">
            {provider ? `${provider} was not called in this time.` : 'There is no provider.'}
          </Empty>
        }
      />
    </Section>
  );
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
