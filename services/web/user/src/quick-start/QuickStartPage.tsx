import { Button, Select, Stack, Tabs, Text } from '@mantine/core';
import { CodeBlock, CopyText, PageHeader, Section, useCan, useInfo } from '@llm-platform/shared';
import { useState } from 'react';
import { Link } from 'react-router';
import { useFirstModel, useModels } from '../models/useModels';
import { LANGUAGES, snippet, type Language } from './snippets';

const INSTALL: Partial<Record<Language, string>> = {
  python: 'pip install openai',
  node: 'npm install openai',
};

export function Component() {
  const info = useInfo();
  const can = useCan();
  const models = useModels();
  const first = useFirstModel();
  const [chosen, setChosen] = useState<string | null>(null);
  const address = info.data?.entry_url ?? '';
  const request = {
    model: chosen ?? first,
    messages: [{ role: 'user', content: 'Why is the sky blue? One sentence.' }],
  };
  return (
    <>
      <PageHeader
        title="Quick start"
        description="Programs made for the OpenAI API work as they are, with another address and your key."
      />
      <Section title="1. A key" description="Keep it in the environment, not in code.">
        <Stack align="flex-start">
          {can('POST /api/keys') && (
            <Button component={Link} to="/keys?new=1" variant="default">
              Make a key
            </Button>
          )}
          <CodeBlock code="export LLM_API_KEY=…" label="how to keep the key" />
        </Stack>
      </Section>
      <Section
        title="2. A request"
        actions={
          <Select
            aria-label="Model"
            data={models.data?.items.map(model => model.id) ?? [first]}
            value={request.model}
            onChange={setChosen}
            searchable
            allowDeselect={false}
          />
        }
      >
        <Tabs defaultValue="python" keepMounted={false}>
          <Tabs.List mb="md">
            {LANGUAGES.map(({ value, label }) => (
              <Tabs.Tab key={value} value={value}>
                {label}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {LANGUAGES.map(({ value, label }) => (
            <Tabs.Panel key={value} value={value}>
              <Stack>
                {INSTALL[value] && (
                  <CodeBlock code={INSTALL[value]} label={`how to install it for ${label}`} />
                )}
                <CodeBlock code={snippet(value, address, request)} label={`request with ${label}`} />
              </Stack>
            </Tabs.Panel>
          ))}
        </Tabs>
      </Section>
      <Section title="Addresses">
        <Text c="dimmed" mb="xs">
          The base address of the API, for clients that ask for one:
        </Text>
        <CopyText value={`${address}/v1`} />
      </Section>
    </>
  );
}
