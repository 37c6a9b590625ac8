import { Anchor, SimpleGrid, Skeleton } from '@mantine/core';
import {
  addDays,
  calendarDay,
  Count,
  daysBetween,
  daysOf,
  Failure,
  Money,
  money,
  PageHeader,
  Section,
  Stat,
  Stats,
  useCan,
  useSession,
} from '@llm-platform/shared';
import { DayChart, seriesByDay } from '@llm-platform/shared/charts';
import { useMemo } from 'react';
import { Link } from 'react-router';
import { Budgets } from '../budgets/Budgets';
import { sum, useUsage } from '../usage/usage';
import { FirstSteps } from './FirstSteps';
import { TopModels } from './TopModels';

const LIVE_SECONDS = 30;

export function Component() {
  const { name } = useSession();
  const can = useCan();
  const today = calendarDay(new Date());
  const { since, until } = daysOf('30d');
  const usage = useUsage({ since, until }, { by: ['day', 'model'] }, LIVE_SECONDS);
  const rows = useMemo(() => usage.data?.rows ?? [], [usage.data]);
  const days = useMemo(() => daysBetween(since, until), [since, until]);
  const series = useMemo(() => seriesByDay(rows, days, row => row.model, 'cost'), [rows, days]);

  const month = useUsage(daysOf('month'), { by: ['model'], order: 'cost' }, LIVE_SECONDS);
  const last = useUsage(samePartOfLastMonth(today), { by: ['provider'] });
  const monthRows = month.data?.rows;
  const nothing = usage.data && rows.length === 0 && monthRows?.length === 0;

  return (
    <>
      <PageHeader title="Overview" description={`Hello ${name}. This is what your keys have done.`} />
      {nothing ? (
        <FirstSteps />
      ) : usage.error && !usage.data ? (
        <Section>
          <Failure error={usage.error} onRetry={() => void usage.refetch()} />
        </Section>
      ) : (
        <>
          <Stats failed={!!(usage.error ?? month.error)}>
            <Stat
              label="Spent this month"
              value={monthRows && <Money amount={sum(monthRows, 'cost')} />}
              note={last.data && `${money(sum(last.data.rows, 'cost'))} at this point last month`}
            />
            <Stat
              label="Spent today"
              value={
                usage.data && (
                  <Money
                    amount={sum(
                      rows.filter(row => row.day === today),
                      'cost',
                    )}
                  />
                )
              }
              note={usage.data && `${money(average(rows, today))} a day in the last week`}
            />
            <Stat
              label="Requests this month"
              value={monthRows && <Count of={sum(monthRows, 'requests')} />}
            />
            <Stat label="Tokens this month" value={monthRows && <Count of={sum(monthRows, 'tokens')} />} />
          </Stats>
          <Section
            title="Spend by day"
            description="The last 30 days, by model"
            actions={
              can('GET /api/usage') && (
                <Anchor component={Link} to="/usage" size="sm">
                  All usage
                </Anchor>
              )
            }
          >
            {usage.data ? (
              <DayChart label="Spend by day" days={days} series={series} format={money} />
            ) : (
              <Skeleton height={260} />
            )}
          </Section>
        </>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing={20} mt={20}>
        <Section
          title="Budgets"
          actions={
            <Anchor component={Link} to="/budgets" size="sm">
              All limits
            </Anchor>
          }
        >
          <Budgets most={3} />
        </Section>
        <Section title="Models this month">
          {month.error && !monthRows ? (
            <Failure error={month.error} onRetry={() => void month.refetch()} />
          ) : (
            <TopModels rows={monthRows} />
          )}
        </Section>
      </SimpleGrid>
    </>
  );
}

/** From the first of last month to the same day of it as today. */
function samePartOfLastMonth(today: string) {
  const { since, until } = daysOf('last-month');
  const end = addDays(since, Number(today.slice(8)));
  return { since, until: end < until ? end : until };
}

function average(rows: Parameters<typeof sum>[0], today: string): bigint {
  const since = addDays(today, -7);
  return (
    sum(
      rows.filter(row => row.day >= since && row.day < today),
      'cost',
    ) / 7n
  );
}
