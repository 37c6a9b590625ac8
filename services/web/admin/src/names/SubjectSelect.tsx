import { Loader, Select, type SelectProps } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useList } from '@llm-platform/shared';
import { useState } from 'react';
import { useName, type Kind } from './names';

interface Subject {
  [id: string]: string;
  name: string;
}

interface SubjectSelectProps extends Omit<SelectProps, 'data' | 'value' | 'onChange' | 'onSearchChange'> {
  kind: Kind;
  /** Its id; empty: none. */
  value?: string;
  onChange?: (id: string) => void;
  /** Further conditions of the list, as the API names them. */
  within?: Record<string, string>;
}

const SHOWN = 20;

/** Chooses an organisation, team, user or key: the server searches. */
export function SubjectSelect({ kind, value = '', onChange, within = {}, ...props }: SubjectSelectProps) {
  const [typed, setTyped] = useState('');
  const [opened, setOpened] = useState(false);
  const chosen = useName(kind, value);
  const [asked] = useDebouncedValue(typed === chosen ? '' : typed.trim(), 250);
  const list = useList<Subject>(
    `/api/${kind}s`,
    { ...within, search: asked },
    { pageSize: SHOWN, enabled: opened },
  );
  const data = list.items.map(item => ({ value: item[`${kind}_id`]!, label: item.name }));
  if (value && !data.some(item => item.value === value)) data.unshift({ value, label: chosen ?? value });
  const waiting = list.loading || list.refreshing;
  return (
    <Select
      searchable
      clearable
      data={data}
      filter={({ options }) => options}
      value={value || null}
      onChange={id => onChange?.(id ?? '')}
      searchValue={typed}
      onSearchChange={setTyped}
      onDropdownOpen={() => setOpened(true)}
      nothingFoundMessage={waiting ? 'Searching …' : 'Nothing found'}
      {...(opened && waiting && { rightSection: <Loader size="xs" /> })}
      {...props}
    />
  );
}
