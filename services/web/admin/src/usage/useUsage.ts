import { useInfiniteQuery } from '@tanstack/react-query';
import {
  api,
  listOf,
  live,
  nano,
  useLive,
  type List,
  type Query,
  type UsageReport,
  type UsageRow,
} from '@llm-platform/shared';

/** A report of usage, page by page. */
export function useUsage(query: Query): List<UsageRow> {
  const interval = useLive(60);
  const result = useInfiniteQuery({
    queryKey: ['/api/usage', 'list', query],
    queryFn: ({ pageParam, signal }) =>
      api.get<UsageReport>('/api/usage', { ...query, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: page => page.cursor || undefined,
    refetchInterval: live(interval),
    // Rows of another dimension are no stand-in for these.
    placeholderData: (previous, asked) =>
      String((asked?.queryKey[2] as Query | undefined)?.['by']) === String(query['by'])
        ? previous
        : undefined,
  });
  return listOf(result, page => page.rows);
}

export interface Totals {
  cost: bigint;
  requests: bigint;
  input: bigint;
  output: bigint;
}

export function totalsOf(rows: readonly UsageRow[]): Totals {
  const totals = { cost: 0n, requests: 0n, input: 0n, output: 0n };
  for (const row of rows) {
    totals.cost += nano(row.cost);
    totals.requests += nano(row.requests);
    totals.input += nano(row.usage?.input_tokens);
    totals.output += nano(row.usage?.output_tokens);
  }
  return totals;
}
