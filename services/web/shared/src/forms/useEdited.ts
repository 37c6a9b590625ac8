import type { UseFormReturnType } from '@mantine/form';
import { useState } from 'react';

/** What a form edits, and how to go on when somebody else has changed it in the meantime. */
export function useEdited<T, V extends Record<string, unknown>>(
  initial: T,
  form: UseFormReturnType<V>,
  read: () => Promise<T>,
  valuesOf: (theirs: T) => V,
) {
  const [base, setBase] = useState(initial);
  const reload = async (keep: boolean) => {
    const theirs = await read();
    setBase(theirs);
    if (!keep) form.setValues(valuesOf(theirs));
  };
  return { base, reload };
}
