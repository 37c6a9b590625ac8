import {
  Area,
  AreaChart,
  Bar,
  BarChart,
  CartesianGrid,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import { shortDay } from '../display/time';
import type { Series } from './series';
import { ChartTooltip } from './ChartTooltip';
import classes from './DayChart.module.css';

export interface DayChartProps {
  /** What it shows, for those who cannot see it. */
  label: string;
  days: readonly string[];
  series: readonly Series[];
  format: (value: bigint) => string;
  kind?: 'bar' | 'area';
  height?: number;
}

const COLOURS = 6;
const colour = (at: number) => `var(--series-${(at % COLOURS) + 1})`;

/** The values are exact in tooltips; only heights are floats. */
export default function DayChart({ label, days, series, format, kind = 'bar', height = 260 }: DayChartProps) {
  const data = days.map((day, at) => ({
    day,
    ...Object.fromEntries(series.map((one, index) => [`s${index}`, Number(one.values[at])])),
  }));
  const total = series.reduce((sum, one) => sum + one.total, 0n);
  const shared = (
    <>
      <CartesianGrid vertical={false} stroke="var(--line)" />
      <XAxis
        dataKey="day"
        tickFormatter={(day: string) => shortDay(day)}
        tickLine={false}
        axisLine={{ stroke: 'var(--line-strong)' }}
        minTickGap={40}
        tickMargin={8}
      />
      <YAxis
        width={64}
        tickLine={false}
        axisLine={false}
        tickCount={5}
        tickFormatter={(value: number) => format(BigInt(Math.round(value)))}
      />
      <Tooltip
        cursor={kind === 'bar' ? { fill: 'var(--hover)' } : { stroke: 'var(--line-strong)' }}
        isAnimationActive={false}
        content={({ active, label: day }) =>
          active && typeof day === 'string' ? (
            <ChartTooltip day={day} at={days.indexOf(day)} series={series} format={format} colour={colour} />
          ) : null
        }
      />
    </>
  );
  const margin = { top: 8, right: 4, bottom: 0, left: 0 };
  return (
    <figure className={classes.chart} aria-label={`${label}: ${format(total)} in ${days.length} days`}>
      <ResponsiveContainer width="100%" height={height}>
        {kind === 'bar' ? (
          <BarChart data={data} margin={margin} barCategoryGap="22%">
            {shared}
            {series.map((one, at) => (
              <Bar
                key={one.name}
                dataKey={`s${at}`}
                name={one.name}
                stackId="all"
                fill={colour(at)}
                isAnimationActive={false}
                maxBarSize={36}
                radius={at === series.length - 1 ? [3, 3, 0, 0] : 0}
              />
            ))}
          </BarChart>
        ) : (
          <AreaChart data={data} margin={margin}>
            {shared}
            {series.map((one, at) => (
              <Area
                key={one.name}
                dataKey={`s${at}`}
                name={one.name}
                type="monotone"
                stroke={colour(at)}
                strokeWidth={2}
                fill={colour(at)}
                fillOpacity={0.12}
                isAnimationActive={false}
              />
            ))}
          </AreaChart>
        )}
      </ResponsiveContainer>
      {series.length > 1 && (
        <figcaption className={classes.legend}>
          {series.map((one, at) => (
            <span key={one.name} className={classes.entry}>
              <i style={{ background: colour(at) }} />
              {one.name}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}
