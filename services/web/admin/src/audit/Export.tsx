import { Button, Menu } from '@mantine/core';
import { queryString, type Query } from '@llm-platform/shared';
import { ChevronDown, Download } from 'lucide-react';

const FORMS = [
  { name: 'audit.csv', label: 'Table (CSV)' },
  { name: 'audit.jsonl', label: 'JSON lines, to check the chain' },
];

/** What the filters show, all of it, as a file. */
export function Export({ query }: { query: Query }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          leftSection={<Download size={15} />}
          rightSection={<ChevronDown size={15} />}
        >
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {FORMS.map(({ name, label }) => (
          <Menu.Item key={name} component="a" href={`/api/${name}${queryString(query)}`} download={name}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
