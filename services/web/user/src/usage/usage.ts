import {
  useResource,
  useSession,
  viewerZone,
  type Days,
  type UsageReport,
  type UsageRow,
} from '@llm-platform/shared';
import { measured, type Measure } from '@llm-platform/shared/charts';

export interface UsageFilter {
  by: readonly string[];
  model?: string;
  key_id?: string;
  order?: string;
}

export const USAGE = '/api/usage';

/** The query of one's own usage in days of the viewer's zone. */
export function useUsageQuery(period: Days, filter: UsageFilter) {
  const { user_id } = useSession();
  return { ...period, ...filter, user_id, time_zone: viewerZone() };
}

export function useUsage(period: Days, filter: UsageFilter, live?: number) {
  return useResource<UsageReport>(USAGE, useUsageQuery(period, filter), live ? { live } : {});
}

export function sum(rows: readonly UsageRow[], measure: Measure): bigint {
  return rows.reduce((all, row) => all + measured(row, measure), 0n);
}
