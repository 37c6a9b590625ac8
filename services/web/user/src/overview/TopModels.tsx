import { Skeleton, Text } from '@mantine/core';
import { Money, percent, type UsageRow } from '@llm-platform/shared';
import { sum } from '../usage/usage';
import classes from './TopModels.module.css';

/** Where the money goes: the most expensive models and their share. */
export function TopModels({ rows }: { rows: readonly UsageRow[] | undefined }) {
  if (!rows) return <Skeleton height={120} />;
  if (rows.length === 0) return <Text c="dimmed">No requests this month.</Text>;
  const all = sum(rows, 'cost');
  return (
    <ol className={classes.models}>
      {rows.slice(0, 5).map(row => (
        <li key={row.model}>
          <span className={classes.name}>{row.model}</span>
          <span className={classes.share}>{percent(row.cost, all).toFixed(0)} %</span>
          <span className={classes.cost}>
            <Money amount={row.cost} />
          </span>
          <span className={classes.bar} style={{ width: `${percent(row.cost, all)}%` }} />
        </li>
      ))}
    </ol>
  );
}
