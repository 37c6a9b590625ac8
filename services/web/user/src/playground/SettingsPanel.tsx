import { JsonInput, Stack, Textarea, TextInput } from '@mantine/core';
import { Section } from '@llm-platform/shared';
import { settingsProblems, type Settings } from './chat';

interface SettingsPanelProps {
  settings: Settings;
  onChange: (settings: Settings) => void;
}

const EXAMPLE = '[{"type": "function", "function": {"name": "…", "parameters": {…}}}]';

/** What is sent beside the messages. */
export function SettingsPanel({ settings, onChange }: SettingsPanelProps) {
  const problems = settingsProblems(settings);
  const field = (name: keyof Settings) => ({
    value: settings[name],
    error: problems[name],
    autoComplete: 'off',
  });
  const set = (name: keyof Settings, value: string) => onChange({ ...settings, [name]: value });
  return (
    <Section title="Settings">
      <Stack gap="md">
        <Textarea
          label="System prompt"
          placeholder="You are a helpful assistant."
          autosize
          minRows={3}
          maxRows={10}
          {...field('system')}
          onChange={event => set('system', event.currentTarget.value)}
        />
        <TextInput
          label="Temperature"
          placeholder="The model's own"
          inputMode="decimal"
          {...field('temperature')}
          onChange={event => set('temperature', event.currentTarget.value)}
        />
        <TextInput
          label="Most output tokens"
          placeholder="The model's own"
          inputMode="numeric"
          {...field('maxTokens')}
          onChange={event => set('maxTokens', event.currentTarget.value)}
        />
        <JsonInput
          label="Tools"
          description="JSON, as the OpenAI API has it"
          placeholder={EXAMPLE}
          autosize
          minRows={3}
          maxRows={14}
          formatOnBlur
          classNames={{ input: 'mono' }}
          {...field('tools')}
          onChange={value => set('tools', value)}
        />
      </Stack>
    </Section>
  );
}
