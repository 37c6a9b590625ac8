import { PasswordInput, Select, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api } from '@llm-platform/shared';
import { FormDialog } from '../forms/FormDialog';
import { changed } from '../query/changed';
import type { SecretInfo } from '../types';
import { secretUrl } from './url';

interface SecretValueDialogProps {
  /** Unset: it is chosen here. */
  path?: string;
  /** What there is already. */
  secret?: SecretInfo;
  onClose: () => void;
}

const OVERLAPS = [
  { value: '0', label: 'Ends at once' },
  { value: '3600', label: 'Is valid for another hour' },
  { value: '86400', label: 'Is valid for another day' },
  { value: '604800', label: 'Is valid for another week' },
];
const PATH = /^[a-z0-9_-]+(\/[a-z0-9_.-]+)+$/i;

/** A new value: of a new secret, or in place of the one before. It is never shown again. */
export function SecretValueDialog({ path, secret, onClose }: SecretValueDialogProps) {
  const rotating = !!secret?.current_version;
  const form = useForm({
    initialValues: { path: path ?? 'llm/', value: '', overlap_seconds: '3600' },
    validate: {
      path: text => (PATH.test(text.trim()) ? null : 'Folders and a name, as llm/openai/api_key.'),
      value: text => (text ? null : 'Give the new value.'),
    },
  });
  const save = async (values: { path: string; value: string; overlap_seconds: string }) => {
    const url = secretUrl(values.path.trim());
    const value = values.value.trim();
    const expected_version = secret?.current_version ?? 0;
    if (rotating)
      await api.post(`${url}:rotate`, {
        value,
        expected_version,
        overlap_seconds: Number(values.overlap_seconds),
      });
    else await api.put(url, { value, expected_version });
    await changed('/api/secrets', '/api/providers');
  };
  return (
    <FormDialog
      title={rotating ? `Rotate ${secret.path}` : path ? `Set ${path}` : 'New secret'}
      action={rotating ? 'Rotate' : 'Set secret'}
      form={form}
      save={save}
      onClose={onClose}
      size="md"
    >
      {!path && (
        <TextInput
          label="Path"
          description="A provider's key is llm/NAME/api_key"
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps('path')}
        />
      )}
      <PasswordInput
        label="Value"
        description="It cannot be read here again"
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('value')}
      />
      {rotating && (
        <Select
          label="The value until now"
          data={OVERLAPS}
          allowDeselect={false}
          {...form.getInputProps('overlap_seconds')}
        />
      )}
      <Text size="sm" c="dimmed">
        {rotating
          ? 'Services take the new value within seconds, and fall back on the other one while it is valid.'
          : 'Services that use it take it within seconds.'}
      </Text>
    </FormDialog>
  );
}
