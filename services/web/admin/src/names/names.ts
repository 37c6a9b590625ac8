import { useQuery } from '@tanstack/react-query';
import { api, useCan, type Page } from '@llm-platform/shared';

export type Kind = 'organization' | 'team' | 'user' | 'key';

interface Named {
  name: string;
  organization_id?: string;
}

interface Names {
  byId: Map<string, Named>;
  /** There are more than were read at once. */
  incomplete: boolean;
}

const KEPT_MS = 60_000;
const PAGE = 1000;

const operation = (kind: Kind) => `GET /api/${kind}s`;

/** The names of a kind, as many as one page holds; asked once for all that show one. */
function useNames(kind: Kind, wanted: boolean) {
  const can = useCan();
  return useQuery({
    queryKey: [`/api/${kind}s`, 'names'],
    queryFn: async ({ signal }): Promise<Names> => {
      const page = await api.get<Page<Record<string, string>>>(`/api/${kind}s`, { page_size: PAGE }, signal);
      const named = page.items.map(item => [item[`${kind}_id`]!, item as unknown as Named] as const);
      return { byId: new Map(named), incomplete: page.next_page_token !== '' };
    },
    enabled: wanted && can(operation(kind)),
    staleTime: KEPT_MS,
  });
}

/** Looks names up among those that one page holds, for charts. */
export function useNameOf(kind: Kind, wanted: boolean): (id: string) => string | undefined {
  const names = useNames(kind, wanted);
  return id => names.data?.byId.get(id)?.name;
}

/** The name of what an id stands for; undefined while it is not known, or when it is gone. */
export function useName(kind: Kind, id: string): string | undefined {
  const can = useCan();
  const names = useNames(kind, id !== '');
  const known = names.data?.byId.get(id)?.name;
  const alone = `/api/${kind}s/{${kind}}`;
  const single = useQuery({
    queryKey: [`/api/${kind}s`, 'name', id],
    queryFn: ({ signal }) => api.get<Named>(`/api/${kind}s/${encodeURIComponent(id)}`, {}, signal),
    enabled:
      id !== '' &&
      known === undefined &&
      can(`GET ${alone}`) &&
      (names.data ? names.data.incomplete : !can(operation(kind))),
    staleTime: KEPT_MS,
    retry: false,
  });
  return known ?? single.data?.name;
}
