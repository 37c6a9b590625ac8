import type { UseQueryResult } from '@tanstack/react-query';
import type { List } from '@llm-platform/shared';

/** A list that comes in one answer, as tables take it. `keep`: which of it. */
export function singlePage<T>(
  query: UseQueryResult<{ items: T[] }>,
  keep: (item: T) => boolean = () => true,
): List<T> {
  return {
    items: query.data?.items.filter(keep) ?? [],
    loading: query.isPending,
    refreshing: query.isPlaceholderData,
    error: query.error,
    more: false,
    loadingMore: false,
    loadMore: () => undefined,
    retry: () => void query.refetch(),
  };
}
