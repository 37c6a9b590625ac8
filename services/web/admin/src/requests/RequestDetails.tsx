import {
  absolute,
  CopyText,
  exactCount,
  Failure,
  Money,
  Section,
  Stat,
  Stats,
  useResource,
} from '@llm-platform/shared';
import { Skeleton } from '@mantine/core';
import { Facts } from '../display/Facts';
import { Name } from '../names/Name';
import type { LedgerEntry } from '../types';
import { courseOf, durationWords } from './course';
import { FoundByProvider } from './FoundByProvider';
import { summarize } from './ledger';
import { Timeline } from './Timeline';
import { Waterfall } from './Waterfall';
import { certaintyWords, Result } from './words';

/** One call of the platform, as the ledger knows it. */
export function RequestDetails({ id }: { id: string }) {
  const read = useResource<{ items: LedgerEntry[] }>('/api/entries', { request_id: id }, { live: 15 });
  if (read.isPending || read.isPlaceholderData) return <Skeleton height={280} radius="lg" aria-busy="true" />;
  if (read.error && !read.data)
    return (
      <Section>
        <Failure error={read.error} onRetry={() => void read.refetch()} />
      </Section>
    );
  const entries = read.data?.items ?? [];
  // A provider's ids may look like the platform's.
  if (entries.length === 0) return <FoundByProvider id={id} />;
  const summary = summarize(entries);
  const course = courseOf(id, entries);
  const firstByte = course?.hops.find(hop => hop.wait !== undefined);
  return (
    <>
      <Stats>
        <Stat label="Cost" value={<Money amount={summary.cost} />} note={certaintyWords(summary.certainty)} />
        <Stat label="Input tokens" value={exactCount(summary.input)} />
        <Stat label="Output tokens" value={exactCount(summary.output)} />
        <Stat
          label="Took"
          value={course ? durationWords(course.length) : '–'}
          note={
            firstByte
              ? `First byte after ${durationWords(firstByte.start + (firstByte.wait ?? 0))}`
              : course
                ? 'Nothing came of it'
                : summary.open
                  ? 'Under way'
                  : 'Not known'
          }
        />
      </Stats>
      <Section>
        <Facts
          items={[
            ['Result', <Result of={summary.result} open={summary.open} />],
            ['Route', summary.route.join(' → ') || summary.provider],
            ['Model', summary.model],
            ['Attempts', exactCount(summary.attempts)],
            ['User', <Name kind="user" id={summary.userId} link />],
            ['Key', <Name kind="key" id={summary.keyId} link />],
            ['Came in', absolute(course ? new Date(course.begin).toISOString() : entries[0]!.created_at)],
            ['Request', <CopyText value={id} />],
          ]}
        />
      </Section>
      {course && (
        <Section
          title="Where the time went"
          description="From when the entry took it in until the provider’s answer ended."
        >
          <Waterfall course={course} />
        </Section>
      )}
      <Section title="What happened" description="The entries of the ledger, in their order.">
        <Timeline entries={entries} />
      </Section>
    </>
  );
}
