import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  type InfiniteData,
  type UseInfiniteQueryResult,
  type UseQueryResult,
} from '@tanstack/react-query';
import { api, type Query } from '../api/client';
import type { Page } from '../api/types';
import { useLive } from '../live/useLive';
import { live } from './recovery';

interface ResourceOptions {
  enabled?: boolean;
  /** Seconds between updates; unset: no live updates. */
  live?: number;
  /** Seconds for which an answer is not asked for again; unset: ten. */
  fresh?: number;
}

/** One answer of the API. Its cache key begins with the path: invalidate with `queryKey: ['/api/keys']`. */
export function useResource<T>(
  url: string,
  query: Query = {},
  options: ResourceOptions = {},
): UseQueryResult<T> {
  const interval = useLive(options.live ?? 0);
  return useQuery({
    queryKey: [url, query],
    queryFn: ({ signal }) => api.get<T>(url, query, signal),
    enabled: options.enabled ?? true,
    refetchInterval: live(options.live ? interval : false),
    ...(options.fresh && { staleTime: options.fresh * 1000 }),
    placeholderData: keepPreviousData,
  });
}

/** A list that the server searches and pages, most of a page at a time. */
export interface List<T> {
  items: T[];
  loading: boolean;
  /** The search or a filter has changed, and its answer is on its way. */
  refreshing: boolean;
  error: unknown;
  more: boolean;
  loadingMore: boolean;
  loadMore: () => void;
  retry: () => void;
}

export function useList<T>(
  url: string,
  query: Query = {},
  options: ResourceOptions & { pageSize?: number } = {},
): List<T> {
  const interval = useLive(options.live ?? 0);
  const size = options.pageSize ?? 50;
  const result = useInfiniteQuery({
    queryKey: [url, 'list', query, size],
    queryFn: ({ pageParam, signal }) =>
      api.get<Page<T>>(url, { ...query, page_size: size, page_token: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: nextPage,
    enabled: options.enabled ?? true,
    refetchInterval: live(options.live ? interval : false),
    placeholderData: keepPreviousData,
  });
  return listOf(result, page => page.items);
}

/** The pages that were read so far as one list. */
export function listOf<P, T>(
  result: UseInfiniteQueryResult<InfiniteData<P>>,
  itemsOf: (page: P) => readonly T[],
): List<T> {
  return {
    items: result.data?.pages.flatMap(itemsOf) ?? [],
    loading: result.isPending,
    refreshing: result.isPlaceholderData,
    error: result.error,
    more: result.hasNextPage,
    loadingMore: result.isFetchingNextPage,
    loadMore: () => void result.fetchNextPage(),
    retry: () => void result.refetch(),
  };
}

/** The token of the page after, undefined when there is none. */
export function nextPage(page: Page<unknown>): string | undefined {
  return page.next_page_token || undefined;
}
