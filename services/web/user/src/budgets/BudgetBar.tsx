import { absolute, money, Money, percent, type Budget } from '@llm-platform/shared';
import { forecast } from './forecast';
import classes from './BudgetBar.module.css';

/** What of a budget is spent, left, and where it is heading. */
export function BudgetBar({ budget, name }: { budget: Budget; name: string }) {
  const used = percent(budget.spent, budget.limit);
  const held = percent(budget.reserved, budget.limit);
  const tone = used >= 100 ? 'bad' : used >= 80 ? 'warning' : 'good';
  return (
    <div className={classes.budget} data-tone={tone}>
      <div className={classes.head}>
        <span className={classes.name}>{name}</span>
        <span className="numeric">
          <Money amount={budget.spent} /> <span className={classes.of}>of {money(budget.limit)}</span>
        </span>
      </div>
      <div
        className={classes.track}
        role="meter"
        aria-label={`${name}: spent`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, used)}
        aria-valuetext={`${used} %`}
      >
        <span className={classes.spent} style={{ width: `${Math.min(100, used)}%` }} />
        <span className={classes.held} style={{ width: `${Math.max(0, Math.min(100 - used, held))}%` }} />
      </div>
      <div className={classes.foot}>
        <span>{outlook(budget, new Date())}</span>
        {budget.window_ends_at && (
          <span>
            Starts anew{' '}
            <time dateTime={budget.window_ends_at} title={absolute(budget.window_ends_at)}>
              {budget.period === 'daily'
                ? clock(new Date(budget.window_ends_at))
                : day(new Date(budget.window_ends_at))}
            </time>
          </span>
        )}
      </div>
    </div>
  );
}

function outlook(budget: Budget, now: Date): string {
  const soft = budget.enforcement === 'soft';
  const remaining = BigInt(budget.remaining);
  if (remaining <= 0n) return soft ? 'Passed; requests still go through' : 'Used up: requests are refused';
  const left = `${money(remaining)} left`;
  const outcome = forecast(budget, now);
  if (!outcome) return left;
  if (outcome.exhaustedAt) {
    const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' }).format(
      outcome.exhaustedAt,
    );
    return `${left}, at this pace until ${budget.period === 'daily' ? clock(outcome.exhaustedAt) : day}`;
  }
  return `${left}, on course for ${money(outcome.projected)}`;
}

const clock = (time: Date) => new Intl.DateTimeFormat(undefined, { timeStyle: 'short' }).format(time);
const day = (time: Date) =>
  new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' }).format(time);
