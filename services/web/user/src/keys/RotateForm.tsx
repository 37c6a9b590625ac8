import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { describe, Notice, type CreatedKey, type Key } from '@llm-platform/shared';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { rotateKey } from './keys';

const OVERLAPS = [
  { value: '0', label: 'Not at all' },
  { value: '3600', label: 'An hour' },
  { value: '86400', label: 'A day' },
  { value: '604800', label: 'A week' },
];

interface RotateFormProps {
  rotated: Key;
  onRotated: (made: CreatedKey) => void;
  onClose: () => void;
}

export function RotateForm({ rotated, onRotated, onClose }: RotateFormProps) {
  const [overlap, setOverlap] = useState('86400');
  const rotate = useMutation({
    mutationFn: () => rotateKey(rotated, Number(overlap)),
    onSuccess: onRotated,
    meta: { shown: true },
  });
  return (
    <Stack>
      <Text>
        A new key takes the place of <strong>{rotated.name}</strong>, with the same models, limits and
        budgets. Usage goes on under the same name.
      </Text>
      <Select
        label="How long the old key still works"
        description={
          overlap === '0'
            ? 'Programs that still use it are refused at once.'
            : 'Time to put the new one in place.'
        }
        allowDeselect={false}
        data={OVERLAPS}
        value={overlap}
        onChange={value => value && setOverlap(value)}
      />
      {rotate.error && <Notice kind="error">{describe(rotate.error)}</Notice>}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button loading={rotate.isPending} onClick={() => rotate.mutate()}>
          Rotate key
        </Button>
      </Group>
    </Stack>
  );
}
