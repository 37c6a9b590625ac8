import type { Series } from './series';

/** A rectangle of one series on one day, in pixels. */
export interface Block {
  series: number;
  y: number;
  height: number;
}

/** Round values from 0 to at least `most`, some four steps of 1, 2 or 5 times a power of ten. */
export function ticks(most: bigint, steps = 4n): bigint[] {
  if (most <= 0n) return [0n];
  const least = (most + steps - 1n) / steps;
  const power = 10n ** BigInt(least.toString().length - 1);
  const step = [1n, 2n, 5n, 10n].map(factor => factor * power).find(size => size >= least)!;
  return Array.from({ length: Number((most + step - 1n) / step) + 1 }, (_tick, at) => BigInt(at) * step);
}

/** The sum of each day. What was given back in sum draws nothing. */
export function totals(series: readonly Series[], days: number): bigint[] {
  return Array.from({ length: days }, (_day, at) => series.reduce((sum, one) => sum + drawn(one, at), 0n));
}

/** One day's values on one another, the first at the bottom. Only heights are floats. */
export function stacked(series: readonly Series[], day: number, top: bigint, height: number): Block[] {
  const blocks: Block[] = [];
  let below = 0n;
  const yOf = (value: bigint) => height - (Number(value) / Number(top)) * height;
  series.forEach((one, at) => {
    const value = drawn(one, day);
    if (value === 0n) return;
    const y = yOf(below + value);
    blocks.push({ series: at, y, height: yOf(below) - y });
    below += value;
  });
  return blocks;
}

function drawn(one: Series, day: number): bigint {
  const value = one.values[day] ?? 0n;
  return value > 0n ? value : 0n;
}

/** Which days are named under the axis, at least `apart` pixels from one another. */
export function named(days: number, band: number, apart: number): number[] {
  const every = Math.max(1, Math.ceil(apart / band));
  return Array.from({ length: Math.ceil(days / every) }, (_label, at) => at * every);
}

/** Where an arrow key leads from a day; undefined: it is no such key. */
export function moved(key: string, from: number | undefined, days: number): number | undefined {
  const last = days - 1;
  if (key === 'Home') return 0;
  if (key === 'End') return last;
  if (key === 'ArrowLeft') return Math.max(0, (from ?? days) - 1);
  if (key === 'ArrowRight') return Math.min(last, (from ?? -1) + 1);
  return undefined;
}
