import {
  Count,
  decimal,
  Failure,
  Money,
  Stat,
  Stats,
  useResource,
  viewerZone,
  type UsageReport,
} from '@llm-platform/shared';
import { totalsOf, type Totals } from '../usage/useUsage';
import { comparedPeriods, type Span } from './periods';

/** What it costs, today and this month, against the same part of the day and month before. */
export function Costs() {
  const { today, yesterday, month, lastMonth } = comparedPeriods(new Date());
  const day = useTotals(today);
  const dayBefore = useTotals(yesterday);
  const all = useTotals(month);
  const before = useTotals(lastMonth);
  if (all.error && !all.totals) return <Failure error={all.error} onRetry={all.retry} />;
  return (
    <Stats failed={!!(day.error ?? all.error)}>
      <Stat
        label="Cost today"
        value={day.totals && <Money amount={day.totals.cost} />}
        note={compared(day.totals?.cost, dayBefore.totals?.cost, 'yesterday until now')}
      />
      <Stat
        label="Cost this month"
        value={all.totals && <Money amount={all.totals.cost} />}
        note={compared(all.totals?.cost, before.totals?.cost, 'in the same days last month')}
      />
      <Stat
        label="Requests this month"
        value={all.totals && <Count of={all.totals.requests} />}
        note={compared(all.totals?.requests, before.totals?.requests, 'in the same days last month')}
      />
      <Stat
        label="Tokens this month"
        value={all.totals && <Count of={all.totals.input + all.totals.output} />}
        note={
          all.totals && (
            <>
              <Count of={all.totals.input} /> in, <Count of={all.totals.output} /> out
            </>
          )
        }
      />
    </Stats>
  );
}

function useTotals(span: Span): { totals: Totals | undefined; error: unknown; retry: () => void } {
  const read = useResource<UsageReport>(
    '/api/usage',
    { ...span, by: ['provider'], time_zone: viewerZone() },
    { live: 60 },
  );
  return {
    totals: read.data && totalsOf(read.data.rows),
    error: read.error,
    retry: () => void read.refetch(),
  };
}

/** "12 % more than yesterday until now". */
function compared(now: bigint | undefined, before: bigint | undefined, when: string): string | undefined {
  if (now === undefined || before === undefined) return undefined;
  if (before <= 0n) return now > 0n ? `None ${when}` : `As ${when}`;
  const tenths = ((now - before) * 1000n) / before;
  if (tenths === 0n) return `As ${when}`;
  const size = tenths < 0n ? -tenths : tenths;
  const words = size < 100n ? decimal(size, 1, 1) : decimal(size, 1, 0);
  return `${words} % ${tenths > 0n ? 'more' : 'less'} than ${when}`;
}
