import { Group, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { FilterSelect, PeriodPicker, PERIODS } from '@llm-platform/shared';
import { useState } from 'react';
import { OrganizationFilter } from '../names/OrganizationFilter';
import { ACTIONS, RESULTS } from './words';

export const NO_FILTERS = {
  actor: '',
  action: '',
  target: '',
  result: '',
  organization: '',
  period: 'all',
  since: '',
  to: '',
};
type Filters = typeof NO_FILTERS;

interface AuditFiltersProps {
  filters: Filters;
  onChange: (changed: Partial<Filters>) => void;
}

const WITH_ALL = [{ value: 'all', label: 'Any time' }, ...PERIODS];

export function AuditFilters({ filters, onChange }: AuditFiltersProps) {
  return (
    <Group gap="xs">
      <Typed
        label="Who"
        placeholder="Who: name or id"
        value={filters.actor}
        onChange={actor => onChange({ actor })}
      />
      <FilterSelect
        label="Action"
        placeholder="Did anything"
        data={ACTIONS}
        searchable
        w={200}
        value={filters.action}
        onChange={action => onChange({ action })}
      />
      <Typed
        label="Target"
        placeholder="To: an id, path or name"
        value={filters.target}
        onChange={target => onChange({ target })}
      />
      <FilterSelect
        label="Result"
        placeholder="Any result"
        data={RESULTS}
        w={130}
        value={filters.result}
        onChange={result => onChange({ result })}
      />
      <OrganizationFilter
        value={filters.organization}
        onChange={organization => onChange({ organization })}
      />
      <PeriodPicker filter={filters} onChange={onChange} periods={WITH_ALL} />
    </Group>
  );
}

interface TypedProps {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
}

const PAUSE_MS = 300;

/** Asked for after a pause in typing. */
function Typed({ label, placeholder, value, onChange }: TypedProps) {
  const [typed, setTyped] = useState(value);
  const tell = useDebouncedCallback((text: string) => onChange(text.trim()), PAUSE_MS);
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={placeholder}
      w={180}
      value={typed}
      onChange={event => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
    />
  );
}
