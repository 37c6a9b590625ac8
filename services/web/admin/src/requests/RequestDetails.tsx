import {
  absolute,
  CopyText,
  Empty,
  exactCount,
  Failure,
  Money,
  Section,
  Stat,
  Stats,
  useResource,
} from '@llm-platform/shared';
import { Skeleton } from '@mantine/core';
import { SearchX } from 'lucide-react';
import { Facts } from '../display/Facts';
import { Name } from '../names/Name';
import type { LedgerEntry } from '../types';
import { summarize } from './ledger';
import { Timeline } from './Timeline';
import { certaintyWords, Result } from './words';

/** One call of the platform, as the ledger knows it. */
export function RequestDetails({ id }: { id: string }) {
  const read = useResource<{ items: LedgerEntry[] }>('/api/entries', { request_id: id }, { live: 15 });
  if (read.isPending) return <Skeleton height={280} radius="lg" aria-busy="true" />;
  if (read.error && !read.data)
    return (
      <Section>
        <Failure error={read.error} onRetry={() => void read.refetch()} />
      </Section>
    );
  const entries = read.data?.items ?? [];
  if (entries.length === 0)
    return (
      <Section>
        <Empty icon={SearchX} title="The ledger does not know this request">
          Calls that were refused before a provider was chosen, as those with a wrong key or over a limit,
          leave no entry. Others are written within seconds.
        </Empty>
      </Section>
    );
  const summary = summarize(entries);
  return (
    <>
      <Stats>
        <Stat label="Cost" value={<Money amount={summary.cost} />} note={certaintyWords(summary.certainty)} />
        <Stat label="Input tokens" value={exactCount(summary.input)} />
        <Stat label="Output tokens" value={exactCount(summary.output)} />
        <Stat
          label="Until it was settled"
          value={
            summary.milliseconds === undefined ? '…' : `${exactCount(Math.round(summary.milliseconds))} ms`
          }
        />
      </Stats>
      <Section>
        <Facts
          items={[
            ['Result', <Result of={summary.result} open={summary.open} />],
            ['Provider and model', `${summary.provider} / ${summary.model}`],
            ['Attempts', exactCount(summary.attempts)],
            ['Key', <Name kind="key" id={summary.keyId} link />],
            ['Came in', absolute(entries[0]!.created_at)],
            ['Request', <CopyText value={id} />],
          ]}
        />
      </Section>
      <Section title="What happened" description="The entries of the ledger, in their order.">
        <Timeline entries={entries} />
      </Section>
    </>
  );
}
