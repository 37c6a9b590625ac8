import { MutationCache, QueryClient } from '@tanstack/react-query';
import { notifications } from '@mantine/notifications';
import { describe, Problem } from '../api/problem';
import { untilBack } from './recovery';

declare module '@tanstack/react-query' {
  interface Register {
    mutationMeta: {
      /** The page shows the failure itself, beside what failed. */
      shown?: boolean;
    };
  }
}

const retried = (failures: number, error: unknown) => failures < 1 && error instanceof Problem && error.away;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: 10_000, retry: retried, networkMode: 'always', refetchInterval: untilBack },
    mutations: { networkMode: 'always' },
  },
  mutationCache: new MutationCache({
    onError: (error, _variables, _result, mutation) => {
      if (mutation.meta?.shown) return;
      notifications.show({
        color: 'red',
        title: 'That did not work',
        message: describe(error),
        autoClose: 8000,
      });
    },
  }),
});
