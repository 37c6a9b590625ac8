import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, live, useLive, type Query } from '@llm-platform/shared';
import type { Attempt, AttemptPage } from '../types';

interface Found {
  /** Newest first. */
  items: Attempt[];
  /** There are later ones than these. */
  more: boolean;
}

const MOST_PAGES = 5;

/** The calls of a provider in a period. They come oldest first, so all of the period are read, up to some pages. */
export function useAttempts(query: Query, enabled: boolean) {
  const interval = useLive(30);
  return useQuery({
    queryKey: ['/api/attempts', query],
    queryFn: async ({ signal }): Promise<Found> => {
      const items: Attempt[] = [];
      let cursor = '';
      for (let page = 0; page < MOST_PAGES; page++) {
        const answer = await api.get<AttemptPage>('/api/attempts', { ...query, cursor }, signal);
        items.push(...answer.items);
        cursor = answer.cursor;
        if (!cursor) break;
      }
      return { items: items.reverse(), more: cursor !== '' };
    },
    enabled,
    refetchInterval: live(interval),
    placeholderData: keepPreviousData,
  });
}
