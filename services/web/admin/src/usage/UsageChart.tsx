import { SegmentedControl, Skeleton } from '@mantine/core';
import {
  daysBetween,
  Empty,
  Failure,
  money,
  Section,
  shortCount,
  shortDay,
  useResource,
  type Days,
  type Query,
  type UsageReport,
  type UsageRow,
} from '@llm-platform/shared';
import { DayChart, MEASURES, seriesByDay, type Measure } from '@llm-platform/shared/charts';
import { ChartColumn } from 'lucide-react';

interface UsageChartProps {
  days: Days;
  /** Filters and dimensions, as the API names them: by day and one more. */
  query: Query;
  nameOf: (row: UsageRow) => string;
  measure: Measure;
  onMeasure: (measure: Measure) => void;
}

/** Cost, requests or tokens by day. */
export function UsageChart({ days, query, nameOf, measure, onMeasure }: UsageChartProps) {
  const read = useResource<UsageReport>('/api/usage', query, { live: 60 });
  const range = daysBetween(days.since, days.until);
  const rows = read.data?.rows ?? [];
  const series = seriesByDay(rows, range, nameOf, measure);
  const format = (value: bigint) => (measure === 'cost' ? money(value) : shortCount(value));
  return (
    <Section
      title={
        range.length === 1 ? shortDay(days.since) : `${shortDay(range[0]!)} to ${shortDay(range.at(-1)!)}`
      }
      actions={
        <SegmentedControl
          size="xs"
          aria-label="What is shown"
          data={MEASURES}
          value={measure}
          onChange={value => onMeasure(value as Measure)}
        />
      }
    >
      {read.error && !read.data ? (
        <Failure error={read.error} onRetry={() => void read.refetch()} />
      ) : !read.data ? (
        <Skeleton height={260} radius="md" aria-busy="true" />
      ) : rows.length === 0 ? (
        <Empty icon={ChartColumn} title="Nothing was used">
          There were no calls in this time.
        </Empty>
      ) : (
        <DayChart
          label={MEASURES.find(({ value }) => value === measure)!.label}
          days={range}
          series={series}
          format={format}
        />
      )}
    </Section>
  );
}
