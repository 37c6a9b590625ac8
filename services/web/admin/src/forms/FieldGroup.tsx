import { Fieldset, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** Fields that belong together, under a heading. */
export function FieldGroup({ legend, children }: { legend: string; children: ReactNode }) {
  return (
    <Fieldset
      variant="unstyled"
      m={0}
      p={0}
      miw={0}
      legend={
        <Text component="span" fw={600} size="sm" c="dimmed">
          {legend}
        </Text>
      }
    >
      {children}
    </Fieldset>
  );
}
