import { queryClient } from '@llm-platform/shared';

/** Has everything read again that begins with one of these paths. */
export const changed = (...paths: string[]): Promise<void> =>
  queryClient.invalidateQueries({
    predicate: query => paths.some(path => String(query.queryKey[0]).startsWith(path)),
  });
