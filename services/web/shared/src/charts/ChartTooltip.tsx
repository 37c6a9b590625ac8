import { shortDay } from '../display/time';
import type { Series } from './series';
import classes from './DayChart.module.css';

interface ChartTooltipProps {
  day: string;
  at: number;
  series: readonly Series[];
  format: (value: bigint) => string;
  colour: (at: number) => string;
}

/** The exact values of a day, and their sum. */
export function ChartTooltip({ day, at, series, format, colour }: ChartTooltipProps) {
  const shown = series
    .map((one, index) => ({ ...one, index, value: one.values[at] ?? 0n }))
    .filter(one => one.value > 0n);
  return (
    <div className={classes.tooltip}>
      <div className={classes.day}>{shortDay(day)}</div>
      {shown.length === 0 && <div>Nothing</div>}
      {shown.map(one => (
        <div key={one.name} className={classes.line}>
          <i style={{ background: colour(one.index) }} />
          <span>{one.name}</span>
          <strong>{format(one.value)}</strong>
        </div>
      ))}
      {shown.length > 1 && (
        <div className={classes.line} data-sum>
          <i />
          <span>Together</span>
          <strong>{format(shown.reduce((sum, one) => sum + one.value, 0n))}</strong>
        </div>
      )}
    </div>
  );
}
