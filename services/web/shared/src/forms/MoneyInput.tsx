import { Text, TextInput, type TextInputProps } from '@mantine/core';

/** An amount in dollars, as text: the form checks it with `parseMoney`. */
export function MoneyInput(props: TextInputProps) {
  return (
    <TextInput
      inputMode="decimal"
      placeholder="0.00"
      leftSection={<Text c="dimmed">$</Text>}
      rightSection={
        <Text c="dimmed" size="xs">
          USD
        </Text>
      }
      rightSectionWidth={48}
      autoComplete="off"
      {...props}
    />
  );
}
