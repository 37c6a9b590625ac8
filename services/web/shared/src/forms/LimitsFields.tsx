import { SimpleGrid, TextInput } from '@mantine/core';
import type { GetInputPropsReturnType } from '@mantine/form';
import type { Limits } from '../api/types';

const FIELDS: readonly { name: keyof Limits; label: string; description: string }[] = [
  {
    name: 'requests_per_minute',
    label: 'Requests per minute',
    description: 'Calls that may begin in a minute',
  },
  { name: 'tokens_per_minute', label: 'Tokens per minute', description: 'Input and output together' },
  { name: 'concurrency', label: 'At the same time', description: 'Calls that are open at once' },
  { name: 'requests_burst', label: 'Requests at once', description: "Empty: a full minute's" },
];

interface LimitsFieldsProps {
  /** Of the form, whose values hold `LimitsText` under `limits`: name => form.getInputProps(`limits.${name}`). */
  field: (name: keyof Limits) => GetInputPropsReturnType & { key?: string };
}

/** The limits of a key, user, team or organisation. Empty means none. */
export function LimitsFields({ field }: LimitsFieldsProps) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
      {FIELDS.map(({ name, label, description }) => {
        const { key, ...props } = field(name);
        return (
          <TextInput
            key={key ?? name}
            label={label}
            description={description}
            placeholder="No limit"
            inputMode="numeric"
            autoComplete="off"
            className="numeric"
            {...props}
          />
        );
      })}
    </SimpleGrid>
  );
}
