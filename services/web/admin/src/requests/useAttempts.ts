import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { api, listOf, live, useLive, type List, type Query } from '@llm-platform/shared';
import type { Attempt, AttemptPage } from '../types';

const AT_ONCE = 50;
const MOST_PAGES = 20;

/** Calls of providers, the newest first, a page at a time. */
export function useAttempts(query: Query): List<Attempt> {
  const interval = useLive(30);
  const result = useInfiniteQuery({
    queryKey: ['/api/attempts', 'list', query],
    queryFn: ({ pageParam, signal }) => filledPage(query, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (page: AttemptPage) => page.cursor || undefined,
    refetchInterval: live(interval),
    placeholderData: keepPreviousData,
  });
  return listOf(result, page => page.items);
}

/** The server looks at so many entries for a page: where few match, several of its pages make one. */
async function filledPage(query: Query, cursor: string, signal: AbortSignal): Promise<AttemptPage> {
  const items: Attempt[] = [];
  for (let page = 0; page < MOST_PAGES && items.length < AT_ONCE; page++) {
    const asked = { ...query, newest_first: true, limit: AT_ONCE - items.length, cursor };
    const answer = await api.get<AttemptPage>('/api/attempts', asked, signal);
    items.push(...answer.items);
    cursor = answer.cursor;
    if (!cursor) break;
  }
  return { items, cursor };
}
