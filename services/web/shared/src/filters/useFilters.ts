import { useSearchParams } from 'react-router';

/** Filters of a page, kept in its address. What is as at the beginning is left out of it. */
export function useFilters<T extends Record<string, string>>(
  initial: T,
): [T, (changed: Partial<T>, options?: { push?: boolean }) => void] {
  const [query, setQuery] = useSearchParams();
  const filters = Object.fromEntries(
    Object.entries(initial).map(([name, value]) => [name, query.get(name) ?? value]),
  ) as T;
  const change = (changed: Partial<T>, options?: { push?: boolean }) =>
    setQuery(
      current => {
        const next = new URLSearchParams(current);
        for (const [name, value] of Object.entries(changed)) {
          if (value === undefined || value === initial[name]) next.delete(name);
          else next.set(name, value as string);
        }
        return next;
      },
      { replace: !options?.push },
    );
  return [filters, change];
}
