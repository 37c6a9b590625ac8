import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { api, listOf, live, useLive, type Budget, type List, type Query } from '@llm-platform/shared';

const PAGE = 50;

/** Budgets with what is spent of them, page by page. */
export function useBudgets(query: Query): List<Budget> {
  const interval = useLive(30);
  const result = useInfiniteQuery({
    queryKey: ['/api/budgets', 'list', query],
    queryFn: ({ pageParam, signal }) =>
      api.get<{ items: Budget[] }>('/api/budgets', { ...query, after: pageParam, limit: PAGE }, signal),
    initialPageParam: '',
    getNextPageParam: page => (page.items.length === PAGE ? page.items.at(-1)?.budget_id : undefined),
    refetchInterval: live(interval),
    placeholderData: keepPreviousData,
  });
  return listOf(result, page => page.items);
}
