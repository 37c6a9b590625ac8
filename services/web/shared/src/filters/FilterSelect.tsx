import { Select, type SelectProps } from '@mantine/core';

interface FilterSelectProps extends Omit<SelectProps, 'value' | 'onChange' | 'label'> {
  /** For screen readers; `placeholder` says what an empty one means: "All roles". */
  label: string;
  /** Empty: everything. */
  value: string;
  onChange: (value: string) => void;
}

/** One condition of a list, beside its search. */
export function FilterSelect({ label, value, onChange, ...props }: FilterSelectProps) {
  return (
    <Select
      aria-label={label}
      clearable
      value={value || null}
      onChange={chosen => onChange(chosen ?? '')}
      {...props}
    />
  );
}
