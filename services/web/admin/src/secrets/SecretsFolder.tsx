import { Anchor, Badge, Group, Text } from '@mantine/core';
import { DataTable, Status, Time, type List } from '@llm-platform/shared';
import type { SecretInfo } from '../types';

interface SecretsFolderProps {
  folder: string;
  list: List<SecretInfo>;
  onOpen: (secret: SecretInfo) => void;
}

/** The secrets of one folder. */
export function SecretsFolder({ folder, list, onOpen }: SecretsFolderProps) {
  return (
    <DataTable
      label={`Secrets in ${folder || 'no folder'}`}
      list={list}
      rowKey={row => row.path}
      columns={[
        {
          key: 'name',
          title: 'Name',
          cell: row => (
            <div>
              <Anchor component="button" type="button" inherit className="mono" onClick={() => onOpen(row)}>
                {row.path.slice(folder ? folder.length + 1 : 0)}
              </Anchor>
              {row.description && (
                <Text size="sm" c="dimmed">
                  {row.description}
                </Text>
              )}
            </div>
          ),
        },
        { key: 'state', title: 'State', cell: row => <SecretState of={row} /> },
        { key: 'labels', title: 'Labels', cell: row => <Labels of={row.labels} />, wide: true },
        {
          key: 'version',
          title: 'Version',
          cell: row => row.current_version || '–',
          numeric: true,
          wide: true,
        },
        {
          key: 'updated',
          title: 'Written',
          cell: row => (
            <>
              <Time at={row.updated_at} />
              {row.updated_by && (
                <Text size="sm" c="dimmed">
                  by {row.updated_by}
                </Text>
              )}
            </>
          ),
          wide: true,
        },
      ]}
    />
  );
}

export function Labels({ of: labels }: { of: Record<string, string> }) {
  return (
    <Group gap={6}>
      {Object.entries(labels).map(([name, value]) => (
        <Badge key={name} variant="default" tt="none" fw={500}>
          {name}: {value}
        </Badge>
      ))}
    </Group>
  );
}

export function SecretState({ of: secret }: { of: SecretInfo }) {
  if (!secret.current_version) return <Status tone="bad">No value</Status>;
  if (secret.expires_at && Date.parse(secret.expires_at) < Date.now())
    return <Status tone="warning">Due for a new value</Status>;
  if (secret.details.some(each => each.enabled && each.valid_until))
    return <Status tone="good">Rotating</Status>;
  return <Status tone="good">Set</Status>;
}
