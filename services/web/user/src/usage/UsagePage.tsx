import { Button, Group, SegmentedControl, Skeleton } from '@mantine/core';
import {
  api,
  daysBetween,
  daysOf,
  Empty,
  Failure,
  FilterSelect,
  money,
  PageHeader,
  PeriodPicker,
  queryClient,
  Section,
  shortCount,
  useFilters,
  useList,
  useSession,
  type Key,
  type UsageRow,
} from '@llm-platform/shared';
import { DayChart, measureOf, MEASURES, seriesByDay } from '@llm-platform/shared/charts';
import { useMutation } from '@tanstack/react-query';
import { ChartNoAxesColumn, Download } from 'lucide-react';
import { useModels } from '../models/useModels';
import { download } from './download';
import { ownKeys } from './ownKeys';
import { USAGE, useUsage, useUsageQuery } from './usage';
import { UsageTable } from './UsageTable';

const GROUPS = [
  { value: 'model', label: 'Model' },
  { value: 'key', label: 'Key' },
  { value: 'day', label: 'Day' },
];
export function Component() {
  const [choice, choose] = useFilters({
    by: 'model',
    show: 'cost',
    model: '',
    key: '',
    period: '30d',
    since: '',
    to: '',
  });
  const { model, key } = choice;
  const group = GROUPS.find(({ value }) => value === choice.by)?.value ?? 'model';
  const measure = measureOf(choice.show);
  const period = daysOf(choice.period, choice.since, choice.to);
  const { user_id } = useSession();
  const all = useList<Key>('/api/keys', { user: user_id, include_revoked: true }, { pageSize: 1000 });
  const keys = ownKeys(all.items);
  const models = useModels();
  const filter = { model, key_id: key };
  const split = group === 'day' ? [] : [group];
  const byDay = useUsage(period, { by: ['day', ...split], ...filter }, 60);
  const table = useUsage(period, { by: [group], order: group === 'day' ? '' : 'cost', ...filter }, 60);
  const csv = useUsageQuery(period, { by: ['day', 'key', 'provider', 'model'], ...filter });
  const saving = useMutation({
    mutationFn: async () => download(await api.fetch('GET', '/api/usage.csv', { query: csv }), 'usage.csv'),
  });

  const nameOf = (row: UsageRow): string => {
    if (group === 'model') return row.model;
    if (group === 'key') return keys.names.get(row.key_id) ?? row.key_id;
    return 'All';
  };
  const days = daysBetween(period.since, period.until);
  const series = seriesByDay(byDay.data?.rows ?? [], days, nameOf, measure);

  return (
    <>
      <PageHeader
        title="Usage"
        description="What your keys have used and what it cost."
        actions={
          <Button
            variant="default"
            leftSection={<Download size={16} />}
            loading={saving.isPending}
            onClick={() => saving.mutate()}
          >
            CSV
          </Button>
        }
      />
      <Group gap="sm" mb="lg" role="search" aria-label="What is shown">
        <PeriodPicker filter={choice} onChange={choose} />
        <FilterSelect
          label="Model"
          placeholder="All models"
          w={190}
          searchable
          data={[...new Set([...(models.data?.items ?? []).map(item => item.id), ...(model ? [model] : [])])]}
          value={model}
          onChange={value => choose({ model: value })}
        />
        <FilterSelect
          label="Key"
          placeholder="All keys"
          w={190}
          searchable
          data={keys.choices}
          value={key}
          onChange={value => choose({ key: value })}
        />
      </Group>
      <Section
        title={MEASURES.find(one => one.value === measure)!.label + ' by day'}
        actions={
          <Group gap="sm">
            <SegmentedControl
              size="xs"
              aria-label="Show"
              data={MEASURES}
              value={measure}
              onChange={value => choose({ show: value })}
            />
            <SegmentedControl
              size="xs"
              aria-label="Group by"
              data={GROUPS}
              value={group}
              onChange={value => choose({ by: value })}
            />
          </Group>
        }
      >
        {byDay.error && !byDay.data ? (
          <Failure
            error={byDay.error}
            onRetry={() => void queryClient.refetchQueries({ queryKey: [USAGE] })}
          />
        ) : !byDay.data ? (
          <Skeleton height={280} />
        ) : byDay.data.rows.length === 0 ? (
          <Empty icon={ChartNoAxesColumn} title="Nothing used in this period" />
        ) : (
          <DayChart
            label={`${measure} by day`}
            days={days}
            series={series}
            format={measure === 'cost' ? money : value => shortCount(value)}
            height={280}
          />
        )}
      </Section>
      {table.data && table.data.rows.length > 0 && (
        <Section flush>
          <UsageTable
            rows={table.data.rows}
            group={group}
            nameOf={row => (group === 'day' ? row.day : nameOf(row))}
          />
        </Section>
      )}
    </>
  );
}
