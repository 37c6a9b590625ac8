import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';

/** The search of a list: typed at once, asked of the server after a pause, and kept in the address. */
export function useSearch(name = 'search') {
  const [query, setQuery] = useSearchParams();
  const [value, onChange] = useState(query.get(name) ?? '');
  const [asked] = useDebouncedValue(value.trim(), 300);
  useEffect(() => {
    setQuery(
      current => {
        const next = new URLSearchParams(current);
        if (asked) next.set(name, asked);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  }, [asked, name, setQuery]);
  return { value, onChange, asked };
}
