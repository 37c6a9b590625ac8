import {
  Button,
  NumberInput,
  PasswordInput,
  Select,
  SimpleGrid,
  Switch,
  Text,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { api, useCan, useEdited, useResource } from '@llm-platform/shared';
import { PlugZap } from 'lucide-react';
import { useState } from 'react';
import { FieldGroup } from '../forms/FieldGroup';
import { FormDialog } from '../forms/FormDialog';
import { showAtField } from '../forms/save';
import { changed } from '../query/changed';
import { definitionOf, fieldOf, problemsOf, TYPES, valuesOf, type ProviderValues } from '../rules/definition';
import { findProvider, withProvider } from '../rules/document';
import { putRules, readRules, testProvider } from '../rules/rules';
import { secretUrl } from '../secrets/url';
import type { RoutingRevision, SecretInfo } from '../types';
import { keyPath } from './keys';
import { ModelsEditor } from './ModelsEditor';
import { TestResult } from './TestResult';
import classes from './ProviderDialog.module.css';

interface ProviderDialogProps {
  rules: RoutingRevision;
  /** Its name; unset: a new one. */
  provider?: string;
  onClose: () => void;
}

/** All fields of a provider. It can be tried before it is saved. */
export function ProviderDialog({ rules, provider, onClose }: ProviderDialogProps) {
  const can = useCan();
  const [key, setKey] = useState('');
  const form = useForm<ProviderValues>({
    initialValues: valuesOf(findProvider(rules.document, provider ?? '')),
    validate: problemsOf(provider ? [] : (rules.document?.providers.map(each => each.name) ?? [])),
  });
  const { base, reload } = useEdited(rules, form, readRules, theirs =>
    valuesOf(findProvider(theirs.document, provider ?? '')),
  );
  const name = provider ?? form.values.name.trim();
  const secrets = useResource<{ items: SecretInfo[] }>(
    '/api/secrets',
    { prefix: 'llm/' },
    { enabled: can('GET /api/secrets') },
  );
  const kept = secrets.data?.items.some(one => one.path === keyPath(name) && one.current_version > 0);
  const takesKey = !provider && !kept && form.values.type !== 'echo' && can('PUT /api/secrets/{path...}');
  const rename = (param: string) => fieldOf(param, name);

  const storeKey = async () => {
    if (!takesKey || !key.trim()) return;
    await api.put(secretUrl(keyPath(name)), { value: key.trim(), expected_version: 0 });
    setKey('');
    await changed('/api/secrets');
  };
  const test = useMutation({
    mutationFn: async () => {
      await storeKey();
      return testProvider(name, definitionOf(form.values));
    },
    onError: error => {
      if (showAtField(form, error, rename)) test.reset();
    },
    meta: { shown: true },
  });
  const save = async (values: ProviderValues) => {
    await storeKey();
    const document = withProvider(base.document!, { ...definitionOf(values), name }, provider);
    await putRules(base.etag, document, provider ? `Changed ${name}` : `Added ${name}`);
  };
  const asks = form.values.type !== 'echo';
  return (
    <FormDialog
      title={provider ? `Edit ${provider}` : 'Add a provider'}
      action={provider ? 'Save' : 'Add provider'}
      form={form}
      save={save}
      onClose={onClose}
      {...(provider ? { reload } : { reload: () => reload(true) })}
      rename={rename}
      size="xl"
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        {!provider && (
          <TextInput
            label="Name"
            description="In routes, reports and the path of its key"
            placeholder="openai"
            data-autofocus
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('name')}
          />
        )}
        <Select
          label="Type"
          description="How it is spoken with"
          data={TYPES}
          allowDeselect={false}
          {...form.getInputProps('type')}
        />
      </SimpleGrid>
      {asks && (
        <TextInput
          label="Address"
          description="Up to where /chat/completions would follow"
          inputMode="url"
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps('base_url')}
        />
      )}
      {takesKey && (
        <PasswordInput
          label="API key"
          description={`Kept under Secrets as ${keyPath(name || 'NAME')}, and never shown again. It can be set later.`}
          autoComplete="off"
          value={key}
          onChange={event => setKey(event.currentTarget.value)}
        />
      )}
      {asks && !provider && kept && (
        <Text size="sm" c="dimmed">
          Its key is kept already, under <span className="mono">{keyPath(name)}</span>.
        </Text>
      )}
      {can('POST /api/providers/{name}:test') && (
        <div className={classes.test}>
          <Button
            variant="default"
            leftSection={<PlugZap size={15} />}
            loading={test.isPending}
            disabled={!name}
            onClick={() => test.mutate()}
          >
            Test connection
          </Button>
          <Text size="sm" c="dimmed">
            As entered, saved or not. It asks for the models, which costs nothing.
          </Text>
        </div>
      )}
      <TestResult report={test.data} error={test.error} />
      <FieldGroup legend="Models">
        <ModelsEditor form={form} found={test.data?.models ?? []} />
      </FieldGroup>
      <FieldGroup legend="Routing">
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <NumberInput
            label="Priority"
            description="Lower is tried first"
            allowDecimal={false}
            {...form.getInputProps('priority')}
          />
          <NumberInput
            label="Weight"
            description="Share among equals; 0: only steps in"
            min={0}
            allowDecimal={false}
            {...form.getInputProps('weight')}
          />
          <NumberInput
            label="Timeout"
            description="To the first byte and between parts"
            min={0}
            suffix=" s"
            {...form.getInputProps('timeout_seconds')}
          />
          <NumberInput
            label="Further attempts"
            description="Before the first byte only"
            min={0}
            max={10}
            allowDecimal={false}
            {...form.getInputProps('retry_count')}
          />
        </SimpleGrid>
        <Switch mt="md" label="Takes calls" {...form.getInputProps('enabled', { type: 'checkbox' })} />
      </FieldGroup>
    </FormDialog>
  );
}
