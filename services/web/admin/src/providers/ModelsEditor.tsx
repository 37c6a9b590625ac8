import { ActionIcon, Button, Group, Text, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { Plus, X } from 'lucide-react';
import type { ProviderValues } from '../rules/definition';
import classes from './ProviderDialog.module.css';

interface ModelsEditorProps {
  form: UseFormReturnType<ProviderValues>;
  /** What the provider said it has, when it was tested. */
  found: readonly string[];
}

const SHOWN = 12;

/** The models that are served: under which name programs ask, and what the provider calls them. */
export function ModelsEditor({ form, found }: ModelsEditorProps) {
  const { models } = form.values;
  const served = new Set(models.map(model => model.upstream || model.name));
  const more = found.filter(model => !served.has(model));
  const add = (...names: string[]) =>
    form.setFieldValue('models', [
      ...models.filter(model => model.name || model.upstream),
      ...names.map(name => ({ name, upstream: '' })),
    ]);
  return (
    <div className={classes.models}>
      {models.map((_model, at) => (
        <Group key={at} gap="xs" align="flex-start" wrap="nowrap">
          <TextInput
            aria-label={`Model ${at + 1}`}
            placeholder="As programs ask for it"
            flex={1}
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps(`models.${at}.name`)}
          />
          <TextInput
            aria-label={`Name of model ${at + 1} at the provider`}
            placeholder="At the provider: the same"
            flex={1}
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps(`models.${at}.upstream`)}
          />
          <ActionIcon
            aria-label={`Remove model ${at + 1}`}
            size="lg"
            onClick={() => form.removeListItem('models', at)}
          >
            <X size={16} />
          </ActionIcon>
        </Group>
      ))}
      {models.length === 0 && (
        <Text size="sm" c="dimmed">
          None yet. Test the connection to see which the provider has.
        </Text>
      )}
      {typeof form.errors['models'] === 'string' && (
        <Text size="sm" c="var(--mantine-color-error)">
          {form.errors['models']}
        </Text>
      )}
      <Group gap={6}>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<Plus size={14} />}
          onClick={() => form.insertListItem('models', { name: '', upstream: '' })}
        >
          Add a model
        </Button>
        {more.slice(0, SHOWN).map(model => (
          <Button
            key={model}
            size="compact-sm"
            variant="light"
            leftSection={<Plus size={13} />}
            onClick={() => add(model)}
          >
            {model}
          </Button>
        ))}
        {more.length > 1 && (
          <Button size="compact-sm" variant="subtle" onClick={() => add(...more)}>
            Add all {more.length}
          </Button>
        )}
      </Group>
    </div>
  );
}
