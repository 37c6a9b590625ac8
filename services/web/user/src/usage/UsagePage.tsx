import { Button, Group, SegmentedControl, Select, Skeleton, TextInput } from '@mantine/core';
import {
  api,
  daysBetween,
  Empty,
  Failure,
  money,
  PageHeader,
  queryClient,
  Section,
  shortCount,
  type UsageRow,
} from '@llm-platform/shared';
import { DayChart, seriesByDay, type Measure } from '@llm-platform/shared/charts';
import { useMutation } from '@tanstack/react-query';
import { ChartNoAxesColumn, Download } from 'lucide-react';
import { useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { useNames } from '../budgets/useNames';
import { useModels } from '../models/useModels';
import { download } from './download';
import { customPeriod, PERIODS, periodOf } from './period';
import { USAGE, useUsage, useUsageQuery } from './usage';
import { UsageTable } from './UsageTable';

const GROUPS = [
  { value: 'model', label: 'Model' },
  { value: 'key', label: 'Key' },
  { value: 'day', label: 'Day' },
];
const MEASURES = [
  { value: 'cost', label: 'Cost' },
  { value: 'requests', label: 'Requests' },
  { value: 'tokens', label: 'Tokens' },
];

/** What is shown stands in the address: it can be passed on, and survives signing in. */
function useChoice() {
  const [query, setQuery] = useSearchParams();
  const set = (changes: Record<string, string | null>) =>
    setQuery(
      current => {
        const next = new URLSearchParams(current);
        for (const [name, value] of Object.entries(changes)) {
          if (value) next.set(name, value);
          else next.delete(name);
        }
        return next;
      },
      { replace: true },
    );
  const custom = customPeriod(query.get('since'), query.get('until'));
  const choice = custom ? 'custom' : (query.get('period') ?? '30');
  return {
    choice,
    period: custom ?? periodOf(choice),
    group: GROUPS.find(group => group.value === query.get('by'))?.value ?? 'model',
    measure: (MEASURES.find(measure => measure.value === query.get('show'))?.value ?? 'cost') as Measure,
    model: query.get('model') ?? '',
    key: query.get('key') ?? '',
    set,
  };
}

export function Component() {
  const { choice, period, group, measure, model, key, set } = useChoice();
  const names = useNames();
  const models = useModels();
  const filter = { model, key_id: key };
  const split = group === 'day' ? [] : [group];
  const byDay = useUsage(period, { by: ['day', ...split], ...filter }, 60);
  const table = useUsage(period, { by: [group], order: group === 'day' ? '' : 'cost', ...filter }, 60);
  const csv = useUsageQuery(period, { by: ['day', 'key', 'provider', 'model'], ...filter });
  const saving = useMutation({
    mutationFn: async () => download(await api.fetch('GET', '/api/usage.csv', { query: csv }), 'usage.csv'),
  });

  const nameOf = useMemo(() => {
    return (row: UsageRow): string => {
      if (group === 'model') return row.model;
      if (group === 'key') return names.get(row.key_id) ?? row.key_id;
      return 'All';
    };
  }, [group, names]);
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
        <Select
          aria-label="Period"
          w={160}
          allowDeselect={false}
          data={[...PERIODS]}
          value={choice}
          onChange={value =>
            set(
              value === 'custom' ? { period: null, ...period } : { period: value, since: null, until: null },
            )
          }
        />
        {choice === 'custom' && (
          <>
            <TextInput
              type="date"
              aria-label="First day"
              value={period.since}
              max={period.until}
              onChange={event => set({ since: event.currentTarget.value })}
            />
            <TextInput
              type="date"
              aria-label="Day after the last"
              value={period.until}
              min={period.since}
              onChange={event => set({ until: event.currentTarget.value })}
            />
          </>
        )}
        <Select
          aria-label="Model"
          placeholder="All models"
          w={190}
          clearable
          searchable
          data={[...new Set([...(models.data?.items ?? []).map(item => item.id), ...(model ? [model] : [])])]}
          value={model || null}
          onChange={value => set({ model: value })}
        />
        <Select
          aria-label="Key"
          placeholder="All keys"
          w={190}
          clearable
          searchable
          data={[...names]
            .filter(([id]) => id.startsWith('key_'))
            .map(([value, label]) => ({ value, label }))}
          value={key || null}
          onChange={value => set({ key: value })}
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
              onChange={value => set({ show: value })}
            />
            <SegmentedControl
              size="xs"
              aria-label="Group by"
              data={GROUPS}
              value={group}
              onChange={value => set({ by: value })}
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
