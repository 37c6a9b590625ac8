import { Button, Select } from '@mantine/core';
import {
  Count,
  daysBetween,
  daysOf,
  Money,
  PageHeader,
  PeriodPicker,
  queryString,
  Stat,
  Stats,
  useFilters,
  useResource,
  useSession,
  viewerZone,
  type Query,
  type UsageReport,
} from '@llm-platform/shared';
import { measured, measureOf, MEASURES } from '@llm-platform/shared/charts';
import { Download } from 'lucide-react';
import { useSeesOwnOnly } from '../access/useSeesOwnOnly';
import { Breadcrumb } from './Breadcrumb';
import { DIMENSIONS, dimensionOf, FILTERS, nextDimension, valueOf, type Filter } from './dimensions';
import { useLabels } from './useLabels';
import { UsageChart } from './UsageChart';
import { UsageTable } from './UsageTable';
import { totalsOf, useUsage } from './useUsage';
import classes from './Usage.module.css';

const NONE = Object.fromEntries(FILTERS.map(name => [name, ''])) as Record<Filter, string>;
const PAGE = 50;
/** The most rows of one answer: a chart with more would be a part of the truth. */
const MOST_ROWS = 1000;
const ORDERS = { cost: 'cost', requests: 'requests', tokens: 'input_tokens' };

export function Component() {
  const { platform } = useSession();
  const ownOnly = useSeesOwnOnly();
  const [view, setView] = useFilters({
    ...NONE,
    by: ownOnly ? 'key' : platform ? 'organization' : 'team',
    path: '',
    measure: 'cost',
    period: '30d',
    since: '',
    to: '',
  });
  const by = dimensionOf(view.by)?.value ?? 'model';
  const measure = measureOf(view.measure);
  const days = daysOf(view.period, view.since, view.to);
  const entered = pathOf(view.path, view);
  const base: Query = {
    ...days,
    time_zone: viewerZone(),
    ...Object.fromEntries(
      entered.map(([name, value]) => [name === 'provider' || name === 'model' ? name : `${name}_id`, value]),
    ),
  };
  const list = useUsage({ ...base, by: [by], order: by === 'day' ? '' : ORDERS[measure], limit: PAGE });
  const daily = useResource<UsageReport>('/api/usage', { ...base, by: ['day'] }, { live: 60 });
  const totals = daily.data && totalsOf(daily.data.rows);
  const total = daily.data?.rows.reduce((sum, row) => sum + measured(row, measure), 0n) ?? 0n;
  const fits = !list.more && list.items.length * daysBetween(days.since, days.until).length <= MOST_ROWS;
  const labels = useLabels(by, list.items);

  const keep = (count: number) => {
    const kept = entered.slice(0, count);
    setView(
      {
        ...NONE,
        ...Object.fromEntries(kept),
        path: kept.map(([name]) => name).join('.'),
        by: entered[count]?.[0] ?? by,
      },
      { push: true },
    );
  };
  const open = (value: string) => {
    if (by === 'day') return;
    const names = [...entered.map(([name]) => name).filter(name => name !== by), by];
    const next = nextDimension(by, name => names.includes(name) || (name === 'organization' && !platform));
    setView({ [by]: value, path: names.join('.'), by: next }, { push: true });
  };

  return (
    <>
      <PageHeader
        title="Usage"
        description={`What was used and what it cost. Days are those of ${viewerZone()}.`}
        actions={
          <>
            <PeriodPicker filter={view} onChange={setView} />
            <Button
              component="a"
              variant="default"
              leftSection={<Download size={15} />}
              href={`/api/usage.csv${queryString({ ...base, by: by === 'day' ? ['day'] : ['day', by] })}`}
              download="usage.csv"
            >
              CSV
            </Button>
          </>
        }
      />
      <Breadcrumb filters={entered} onKeep={keep} />
      <div className={classes.stack}>
        <div>
          <Stats failed={!!daily.error}>
            <Stat label="Cost" value={totals && <Money amount={totals.cost} />} />
            <Stat label="Requests" value={totals && <Count of={totals.requests} />} />
            <Stat label="Input tokens" value={totals && <Count of={totals.input} />} />
            <Stat label="Output tokens" value={totals && <Count of={totals.output} />} />
          </Stats>
          <UsageChart
            key={by}
            days={days}
            query={{ ...base, by: fits && by !== 'day' ? ['day', by] : ['day'] }}
            nameOf={row => (by === 'day' || !fits ? 'All' : labels(valueOf(row, by)))}
            measure={measure}
            onMeasure={value => setView({ measure: value })}
          />
        </div>
        <UsageTable
          key={by}
          list={list}
          by={by}
          measure={measure}
          total={total}
          onOpen={open}
          filters={
            <>
              <Select
                aria-label="Split by"
                data={DIMENSIONS.filter(({ value }) => platform || value !== 'organization').map(
                  ({ value, label }) => ({ value, label: `By ${label.toLowerCase()}` }),
                )}
                value={by}
                allowDeselect={false}
                w={170}
                onChange={value => value && setView({ by: value })}
              />
              <span className={classes.kind}>
                Largest {MEASURES.find(({ value }) => value === measure)!.label.toLowerCase()} first
              </span>
            </>
          }
        />
      </div>
    </>
  );
}

/** The filters in the order they were gone into; those of a link that has no order come first. */
function pathOf(path: string, view: Record<Filter, string>): (readonly [Filter, string])[] {
  const ordered = path.split('.').filter((name): name is Filter => FILTERS.includes(name as Filter));
  const names = [...FILTERS.filter(name => !ordered.includes(name)), ...ordered];
  return names.filter(name => view[name]).map(name => [name, view[name]] as const);
}
