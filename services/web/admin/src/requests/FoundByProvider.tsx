import { DataTable, Empty, Money, Section, Time, useCan, useResource } from '@llm-platform/shared';
import { SearchX } from 'lucide-react';
import { TextLink } from '../display/TextLink';
import type { Attempt, AttemptPage } from '../types';
import { Result } from './words';
import classes from './Requests.module.css';

/** The calls that a provider gave this id: it may be one of several providers, or no id of anything. */
export function FoundByProvider({ id }: { id: string }) {
  const can = useCan();
  const mayLook = can('GET /api/attempts');
  const read = useResource<AttemptPage>(
    '/api/attempts',
    { provider_request_ids: [id] },
    { enabled: mayLook, live: 15 },
  );
  const items = read.data?.items ?? [];
  return (
    <Section
      flush
      {...(items.length > 0 && {
        title: 'Found by a provider’s id',
        description: 'These calls of providers have this id at the provider.',
      })}
    >
      <DataTable
        label="Calls with this id"
        list={{
          items,
          loading: mayLook && read.isPending,
          refreshing: read.isPlaceholderData,
          error: read.error,
          more: false,
          loadingMore: false,
          loadMore: () => undefined,
          retry: () => void read.refetch(),
        }}
        rowKey={row => row.attempt_id}
        columns={[
          { key: 'when', title: 'When', cell: row => <When of={row} /> },
          { key: 'provider', title: 'Provider', cell: row => row.provider },
          { key: 'model', title: 'Model', cell: row => row.model, wide: true },
          { key: 'cost', title: 'Cost', cell: row => <Money amount={row.amount} />, numeric: true },
          { key: 'result', title: 'Result', cell: row => <Result of={row.result} open={false} /> },
        ]}
        empty={
          <Empty icon={SearchX} title="The ledger does not know this request">
            Calls that were refused before a provider was chosen, as those with a wrong key or over a limit,
            leave no entry. Others are written within seconds.
          </Empty>
        }
      />
    </Section>
  );
}

/** When it was, and the way to its request. */
export function When({ of: attempt }: { of: Attempt }) {
  return (
    <TextLink to={`/requests?request=${encodeURIComponent(attempt.request_id)}`}>
      <span className={classes.whole}>
        <Time at={attempt.reserved_at} />
      </span>
    </TextLink>
  );
}
