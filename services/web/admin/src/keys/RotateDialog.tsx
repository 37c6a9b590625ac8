import { Select, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, path, showSecret, type CreatedKey, type Key } from '@llm-platform/shared';
import { FormDialog } from '../forms/FormDialog';
import { changed } from '../query/changed';

export const OVERLAPS = [
  { value: '0', label: 'Ends at once' },
  { value: '3600', label: 'Works for another hour' },
  { value: '86400', label: 'Works for another day' },
  { value: '604800', label: 'Works for another week' },
];

/** A new key in place of another, which works on for a while. */
export function RotateDialog({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const form = useForm({ initialValues: { overlap_seconds: '86400' } });
  const save = async (values: { overlap_seconds: string }) => {
    const made = await api.post<CreatedKey>(path`/api/keys/${apiKey.key_id}:rotate`, {
      overlap_seconds: Number(values.overlap_seconds),
    });
    showSecret({ title: `The new key "${made.key.name}"`, secret: made.secret });
    await changed('/api/keys');
  };
  return (
    <FormDialog
      title={`Rotate ${apiKey.name}`}
      action="Rotate key"
      form={form}
      save={save}
      onClose={onClose}
      size="md"
    >
      <Text>A new key with the same rights takes its place. Budgets, limits and usage go on with it.</Text>
      <Select
        label="The old key"
        data={OVERLAPS}
        allowDeselect={false}
        {...form.getInputProps('overlap_seconds')}
      />
    </FormDialog>
  );
}
