import type { UsageRow } from '../api/types';
import { nano } from '../display/money';

export type Measure = 'cost' | 'requests' | 'tokens';

export const MEASURES: { value: Measure; label: string }[] = [
  { value: 'cost', label: 'Cost' },
  { value: 'requests', label: 'Requests' },
  { value: 'tokens', label: 'Tokens' },
];

/** The measure of an address, cost where it names none. */
export const measureOf = (name: string): Measure =>
  MEASURES.find(({ value }) => value === name)?.value ?? 'cost';

export interface Series {
  name: string;
  /** One for each day. */
  values: bigint[];
  total: bigint;
}

/** What a row counts for. */
export function measured(row: UsageRow, measure: Measure): bigint {
  if (measure === 'cost') return nano(row.cost);
  if (measure === 'requests') return nano(row.requests);
  return nano(row.usage?.input_tokens) + nano(row.usage?.output_tokens);
}

/**
 * Rows grouped by day and something else as one series for each of those, the largest first; what is
 * beyond `most` of them is summed up as `other`. Days without rows are 0.
 */
export function seriesByDay(
  rows: readonly UsageRow[],
  days: readonly string[],
  nameOf: (row: UsageRow) => string,
  measure: Measure,
  most = 5,
): Series[] {
  const at = new Map(days.map((day, index) => [day, index]));
  const byName = new Map<string, Series>();
  for (const row of rows) {
    const index = at.get(row.day);
    if (index === undefined) continue;
    const name = nameOf(row);
    let series = byName.get(name);
    if (!series) byName.set(name, (series = { name, values: days.map(() => 0n), total: 0n }));
    const value = measured(row, measure);
    series.values[index]! += value;
    series.total += value;
  }
  const sorted = [...byName.values()].sort((a, b) => (a.total < b.total ? 1 : a.total > b.total ? -1 : 0));
  if (sorted.length <= most + 1) return sorted;
  const rest = sorted.slice(most);
  const other: Series = {
    name: `${rest.length} others`,
    values: days.map((_day, index) => rest.reduce((sum, series) => sum + series.values[index]!, 0n)),
    total: rest.reduce((sum, series) => sum + series.total, 0n),
  };
  return [...sorted.slice(0, most), other];
}
