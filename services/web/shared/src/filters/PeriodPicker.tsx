import { Group, Select, TextInput } from '@mantine/core';
import { addDays } from '../display/time';
import { daysOf, PERIODS } from '../display/period';

export interface PeriodFilter {
  period: string;
  since: string;
  to: string;
}

interface PeriodPickerProps {
  filter: PeriodFilter;
  onChange: (changed: Partial<PeriodFilter>) => void;
  /** To choose from. */
  periods?: readonly { value: string; label: string }[];
}

/** A period by its name, or from one day to another. */
export function PeriodPicker({ filter, onChange, periods = PERIODS }: PeriodPickerProps) {
  const pick = (period: string) => {
    if (period !== 'custom') return onChange({ period, since: '', to: '' });
    const days = daysOf(filter.period, filter.since, filter.to);
    onChange({ period, since: days.since, to: addDays(days.until, -1) });
  };
  return (
    <Group gap="xs">
      <Select
        aria-label="Period"
        data={periods}
        value={filter.period}
        onChange={value => value && pick(value)}
        allowDeselect={false}
        w={150}
      />
      {filter.period === 'custom' && (
        <>
          <TextInput
            type="date"
            aria-label="From"
            value={filter.since}
            max={filter.to}
            onChange={event => onChange({ since: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            aria-label="To"
            value={filter.to}
            min={filter.since}
            onChange={event => onChange({ to: event.currentTarget.value })}
          />
        </>
      )}
    </Group>
  );
}
