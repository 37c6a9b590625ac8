import { shortDay, type UsageRow } from '@llm-platform/shared';
import { useNameOf } from '../names/names';
import { type Dimension } from './dimensions';

/** Words for the legend of a chart. */
export function useLabels(by: Dimension, rows: readonly UsageRow[]): (value: string) => string {
  const named = by !== 'provider' && by !== 'model' && by !== 'day';
  const nameOf = useNameOf(named ? by : 'team', named && rows.length > 0);
  return value => {
    if (!value) return 'None';
    if (by === 'day') return shortDay(value);
    return named ? (nameOf(value) ?? value) : value;
  };
}
