import { DataTable, Empty, Time, useList } from '@llm-platform/shared';
import { Eye } from 'lucide-react';
import { ResultStatus } from '../audit/ResultStatus';
import { actionWords } from '../audit/words';
import type { AuditEntry } from '../types';

/** What the audit log says of a secret. */
export function Readers({ path }: { path: string }) {
  const list = useList<AuditEntry>('/api/audit', { target: path, newest_first: true }, { pageSize: 10 });
  return (
    <DataTable
      label="Who read or changed it"
      list={list}
      rowKey={row => row.number}
      columns={[
        { key: 'who', title: 'Who', cell: row => row.actor_name || row.actor_id },
        {
          key: 'what',
          title: 'What',
          cell: row =>
            row.repeated !== '1' ? `${actionWords(row.action)} × ${row.repeated}` : actionWords(row.action),
        },
        { key: 'result', title: 'Result', cell: row => <ResultStatus of={row} />, wide: true },
        { key: 'when', title: 'When', cell: row => <Time at={row.at} /> },
      ]}
      empty={<Empty icon={Eye} title="Nobody yet" />}
    />
  );
}
