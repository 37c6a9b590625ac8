import { Modal, Tabs, Text } from '@mantine/core';
import { CodeBlock, useInfo } from '@llm-platform/shared';
import { LANGUAGES, snippet, type Request } from '../quick-start/snippets';

/** The request of the playground as a program would make it. */
export function CodeDialog({ request, onClose }: { request: Request; onClose: () => void }) {
  const info = useInfo();
  return (
    <Modal opened onClose={onClose} size="xl" title={<Text fw={600}>The same request as code</Text>}>
      <Tabs defaultValue="curl" keepMounted={false}>
        <Tabs.List mb="md">
          {LANGUAGES.map(({ value, label }) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {LANGUAGES.map(({ value, label }) => (
          <Tabs.Panel key={value} value={value}>
            <CodeBlock
              code={snippet(value, info.data?.entry_url ?? '', request)}
              label={`request with ${label}`}
            />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Modal>
  );
}
