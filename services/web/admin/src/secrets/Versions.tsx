import { Table, VisuallyHidden } from '@mantine/core';
import { api, confirm, RowMenu, Status, Time, useCan, type RowAction } from '@llm-platform/shared';
import { Ban, CircleCheck, Trash2 } from 'lucide-react';
import { changed } from '../query/changed';
import type { SecretInfo, SecretVersionInfo } from '../types';
import { secretUrl } from './url';

/** Every version of a secret, newest first. */
export function Versions({ secret }: { secret: SecretInfo }) {
  const can = useCan();
  const url = secretUrl(secret.path);
  const done = () => changed('/api/secrets', '/api/providers');
  const actions = ({ version, enabled }: SecretVersionInfo): RowAction[] => [
    ...(!enabled && can('POST /api/secrets/{path...}:enable')
      ? [
          {
            label: 'Enable',
            icon: CircleCheck,
            onClick: () => void api.post(`${url}:enable`, { version }).then(done),
          },
        ]
      : []),
    ...(enabled && can('POST /api/secrets/{path...}:disable')
      ? [
          {
            label: 'Disable…',
            icon: Ban,
            onClick: () =>
              confirm({
                title: `Disable version ${version}?`,
                message: 'Services can no longer read it. It can be enabled again.',
                action: 'Disable version',
                onConfirm: () => api.post(`${url}:disable`, { version }).then(done),
              }),
          },
        ]
      : []),
    ...(can('DELETE /api/secrets/{path...}')
      ? [
          {
            label: 'Delete…',
            icon: Trash2,
            dangerous: true,
            onClick: () =>
              confirm({
                title: `Delete version ${version}?`,
                message: `Its value is destroyed, for good.`,
                action: 'Delete version',
                onConfirm: () => api.delete(url, { version }).then(done),
              }),
          },
        ]
      : []),
  ];
  return (
    <Table aria-label="Versions" verticalSpacing="xs" horizontalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Version</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Written</Table.Th>
          <Table.Th>
            <VisuallyHidden>Actions</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {secret.details
          .toSorted((one, other) => other.version - one.version)
          .map(each => (
            <Table.Tr key={each.version}>
              <Table.Td>{each.version}</Table.Td>
              <Table.Td>
                <VersionState of={each} current={each.version === secret.current_version} />
              </Table.Td>
              <Table.Td>
                <Time at={each.created_at} />
                {each.created_by && ` by ${each.created_by}`}
              </Table.Td>
              <Table.Td ta="right">
                <RowMenu actions={actions(each)} name={`version ${each.version}`} />
              </Table.Td>
            </Table.Tr>
          ))}
      </Table.Tbody>
    </Table>
  );
}

function VersionState({ of: version, current }: { of: SecretVersionInfo; current: boolean }) {
  if (!version.enabled) return <Status tone="neutral">Disabled</Status>;
  if (current) return <Status tone="good">Current</Status>;
  if (!version.valid_until) return <Status tone="neutral">Enabled</Status>;
  return (
    <Status tone="warning">
      <span>
        Ends <Time at={version.valid_until} />
      </span>
    </Status>
  );
}
