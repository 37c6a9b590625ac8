import { TagsInput, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, calendarDay } from '@llm-platform/shared';
import { FormDialog } from '../forms/FormDialog';
import { changed } from '../query/changed';
import type { SecretInfo } from '../types';
import { secretUrl } from './url';

const LABEL = /^[^:]+:\s*.+$/;

/** What is said of a secret: a description, labels, and when to replace it. */
export function DescribeDialog({ secret, onClose }: { secret: SecretInfo; onClose: () => void }) {
  const form = useForm({
    initialValues: {
      description: secret.description,
      labels: Object.entries(secret.labels).map(([name, value]) => `${name}: ${value}`),
      expires_at: secret.expires_at && calendarDay(new Date(secret.expires_at)),
    },
    validate: {
      labels: labels =>
        labels.every(label => LABEL.test(label)) ? null : 'A name and a value, as owner: search.',
    },
  });
  const save = async (values: typeof form.values) => {
    const labels = Object.fromEntries(
      values.labels.map(label => {
        const at = label.indexOf(':');
        return [label.slice(0, at).trim(), label.slice(at + 1).trim()];
      }),
    );
    await api.json('PATCH', secretUrl(secret.path), {
      body: {
        description: values.description.trim(),
        labels,
        removed_labels: Object.keys(secret.labels).filter(name => !(name in labels)),
        expires_at: values.expires_at && new Date(`${values.expires_at}T00:00:00`).toISOString(),
      },
    });
    await changed('/api/secrets');
  };
  return (
    <FormDialog
      title={`Describe ${secret.path}`}
      action="Save"
      form={form}
      save={save}
      onClose={onClose}
      size="md"
    >
      <Textarea
        label="Description"
        placeholder="Whose account it belongs to, where it is renewed"
        autosize
        minRows={2}
        maxLength={500}
        data-autofocus
        {...form.getInputProps('description')}
      />
      <TagsInput
        label="Labels"
        description="As owner: search; Enter after each"
        acceptValueOnBlur
        {...form.getInputProps('labels')}
      />
      <TextInput
        type="date"
        label="Remind to replace it on"
        description="Nothing ends then"
        {...form.getInputProps('expires_at')}
      />
    </FormDialog>
  );
}
