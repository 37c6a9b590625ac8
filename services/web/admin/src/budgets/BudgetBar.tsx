import { Money, money, nano, percent, type Budget } from '@llm-platform/shared';
import classes from './BudgetBar.module.css';

const tone = (part: number) => (part >= 100 ? 'bad' : part >= 80 ? 'warning' : 'good');

/** How much of a budget is spent, reserved and left. */
export function BudgetBar({ budget }: { budget: Budget }) {
  const spent = percent(budget.spent, budget.limit);
  const reserved = percent(budget.reserved, budget.limit);
  const shownSpent = Math.min(spent, 100);
  const words = `${money(budget.spent)} spent, ${money(budget.reserved)} reserved, ${money(budget.remaining)} left of ${money(budget.limit)}`;
  return (
    <div className={classes.budget}>
      <div className={classes.words}>
        <span>
          <Money amount={budget.spent} /> of <Money amount={budget.limit} />
        </span>
        <span className={classes.left}>
          {nano(budget.remaining) < 0n ? 'over' : <Money amount={budget.remaining} />}
          {nano(budget.remaining) >= 0n && ' left'}
        </span>
      </div>
      <div className={classes.bar} role="img" aria-label={words} title={words}>
        <div data-tone={tone(spent)} style={{ width: `${shownSpent}%` }} />
        <div data-tone="reserved" style={{ width: `${Math.min(reserved, 100 - shownSpent)}%` }} />
      </div>
    </div>
  );
}
