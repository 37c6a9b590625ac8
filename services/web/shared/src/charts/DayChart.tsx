import { useElementSize } from '@mantine/hooks';
import { useState, type KeyboardEvent, type PointerEvent } from 'react';
import { shortDay } from '../display/time';
import { ChartTooltip } from './ChartTooltip';
import { moved, named, stacked, ticks, totals, type Block } from './geometry';
import type { Series } from './series';
import classes from './DayChart.module.css';

export interface DayChartProps {
  /** What it shows, for those who cannot see it. */
  label: string;
  days: readonly string[];
  series: readonly Series[];
  format: (value: bigint) => string;
  /** Pixels. */
  height?: number;
}

const COLOURS = 6;
const colour = (at: number) => `var(--series-${(at % COLOURS) + 1})`;

/** Pixels around the bars: room for the values at the left and the days below. */
const LEFT = 64;
const TOP = 10;
const BOTTOM = 28;
const LABELS_APART = 62;
const MOST_WIDE = 36;
const ROUND = 3;

/** Values by day as bars; the exact ones of a day under the pointer, or with the arrow keys. */
export function DayChart({ label, days, series, format, height = 260 }: DayChartProps) {
  const { ref, width } = useElementSize();
  const [shown, setShown] = useState<number>();
  const sums = totals(series, days.length);
  const marks = ticks(sums.reduce((most, sum) => (sum > most ? sum : most), 0n));
  const top = marks.at(-1) || 1n;
  const tall = height - TOP - BOTTOM;
  const band = Math.max(0, width - LEFT) / days.length;
  const middle = (day: number) => LEFT + (day + 0.5) * band;
  const wide = Math.min(MOST_WIDE, band * 0.78);
  const at = shown !== undefined && shown < days.length ? shown : undefined;

  const point = (event: PointerEvent<HTMLElement>) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT;
    setShown(x < 0 ? undefined : Math.min(days.length - 1, Math.floor(x / band)));
  };
  const press = (event: KeyboardEvent) => {
    const to = moved(event.key, at, days.length);
    if (to === undefined && event.key !== 'Escape') return;
    event.preventDefault();
    setShown(to);
  };
  const sum = format(series.reduce((all, one) => all + one.total, 0n));
  return (
    <figure className={classes.chart}>
      <div
        ref={ref}
        className={classes.plot}
        style={{ height }}
        role="group"
        tabIndex={0}
        aria-label={`${label}: ${sum} in ${days.length} days. Arrow keys tell single days.`}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => setShown(undefined)}
        onKeyDown={press}
        onBlur={() => setShown(undefined)}
      >
        {width > 0 && (
          <svg width={width} height={height} aria-hidden>
            {marks.map(mark => {
              const y = TOP + tall - (Number(mark) / Number(top)) * tall;
              return (
                <g key={String(mark)}>
                  <line x1={LEFT} x2={width} y1={y} y2={y} data-base={mark === 0n || undefined} />
                  <text x={LEFT - 10} y={y} dy="0.35em" textAnchor="end">
                    {format(mark)}
                  </text>
                </g>
              );
            })}
            {at !== undefined && (
              <rect x={middle(at) - band / 2} y={TOP} width={band} height={tall} className={classes.cursor} />
            )}
            {days.map((day, index) => (
              <g key={day} transform={`translate(${middle(index) - wide / 2} ${TOP})`}>
                {stacked(series, index, top, tall).map((block, place, all) => (
                  <path
                    key={block.series}
                    d={outline(block, wide, place === all.length - 1)}
                    fill={colour(block.series)}
                  />
                ))}
              </g>
            ))}
            {named(days.length, band, LABELS_APART).map(index => (
              <text
                key={days[index]}
                x={Math.min(middle(index), width - LABELS_APART / 2)}
                y={height - 8}
                textAnchor="middle"
              >
                {shortDay(days[index]!)}
              </text>
            ))}
          </svg>
        )}
        <div
          className={classes.float}
          data-left={(at !== undefined && middle(at) > width / 2) || undefined}
          style={{ left: at === undefined ? 0 : middle(at) }}
          aria-live="polite"
        >
          {at !== undefined && (
            <ChartTooltip day={days[at]!} at={at} series={series} format={format} colour={colour} />
          )}
        </div>
      </div>
      {series.length > 1 && (
        <figcaption className={classes.legend}>
          {series.map((one, index) => (
            <span key={one.name} className={classes.entry}>
              <i style={{ background: colour(index) }} />
              {one.name}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}

/** A block; the highest of a bar has round corners. */
function outline({ y, height }: Block, wide: number, highest: boolean): string {
  const r = highest ? Math.min(ROUND, height, wide / 2) : 0;
  const straight = wide - 2 * r;
  return `M0 ${y + height}V${y + r}q0 ${-r} ${r} ${-r}h${straight}q${r} 0 ${r} ${r}V${y + height}z`;
}
