import { DataTable, Empty, Status, Time, useList } from '@llm-platform/shared';
import { Eye } from 'lucide-react';
import { Name } from '../names/Name';
import type { SecretAccess } from '../types';
import { secretUrl } from './url';

const WORDS: Record<string, string> = {
  get: 'Read',
  put: 'Set',
  rotate: 'Rotated',
  describe: 'Described',
  disable: 'Disabled',
  enable: 'Enabled',
  delete: 'Deleted',
};

/** What the audit log of secrets-service says of a secret: services and people, refused accesses too. */
export function Readers({ path }: { path: string }) {
  const list = useList<SecretAccess>(`${secretUrl(path)}:accesses`, {}, { pageSize: 100 });
  return (
    <DataTable
      label="Who read or changed it"
      list={list}
      rowKey={row => `${row.at} ${row.caller} ${row.operation} ${row.version}`}
      columns={[
        { key: 'who', title: 'Who', cell: row => <Who of={row} /> },
        { key: 'what', title: 'What', cell: row => WORDS[row.operation] ?? row.operation },
        { key: 'version', title: 'Version', cell: row => row.version || '–', numeric: true, wide: true },
        { key: 'result', title: 'Result', cell: row => <Result of={row} />, wide: true },
        { key: 'when', title: 'When', cell: row => <Time at={row.at} /> },
      ]}
      empty={<Empty icon={Eye} title="Nobody yet" />}
    />
  );
}

function Who({ of: { actor, caller } }: { of: SecretAccess }) {
  return actor.startsWith('usr_') ? <Name kind="user" id={actor} link /> : <>{caller}</>;
}

function Result({ of: { result } }: { of: SecretAccess }) {
  if (result === 'ok' || result === 'cached') return <Status tone="good">{result}</Status>;
  return (
    <Status tone={result === 'permission_denied' ? 'warning' : 'bad'}>{result.replaceAll('_', ' ')}</Status>
  );
}
