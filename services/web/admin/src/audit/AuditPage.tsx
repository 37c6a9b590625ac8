import { Button } from '@mantine/core';
import {
  DataTable,
  daysOf,
  Empty,
  PageHeader,
  startOfDay,
  Time,
  useCan,
  useFilters,
  useList,
  type Query,
} from '@llm-platform/shared';
import { ScrollText } from 'lucide-react';
import type { AuditEntry } from '../types';
import { AuditFilters, NO_FILTERS } from './AuditFilters';
import { EntryDrawer } from './EntryDrawer';
import { Export } from './Export';
import { ResultStatus } from './ResultStatus';
import { Target } from './Target';
import { Verify } from './Verify';
import { actionWords } from './words';
import classes from './AuditPage.module.css';

export function Component() {
  const can = useCan();
  const [filters, setFilters] = useFilters({ ...NO_FILTERS, entry: '' });
  const days = filters.period === 'all' ? null : daysOf(filters.period, filters.since, filters.to);
  const { actor, action, target, result, organization } = filters;
  const asked: Query = {
    actor,
    action,
    target,
    result,
    organization,
    ...(days && { since: startOfDay(days.since), until: startOfDay(days.until) }),
  };
  const list = useList<AuditEntry>('/api/audit', { ...asked, newest_first: true }, { live: 30 });
  const shown = list.items.find(entry => entry.number === filters.entry);
  const filtered = [actor, action, target, result, organization].some(Boolean) || filters.period !== 'all';
  return (
    <>
      <PageHeader
        title="Audit log"
        description="Who did what, and what was refused. Nothing in it can be changed."
        actions={
          <>
            {can('POST /api/audit:verify') && <Verify />}
            <Export query={asked} />
          </>
        }
      />
      <DataTable
        label="Audit log"
        list={list}
        filters={<AuditFilters filters={filters} onChange={setFilters} />}
        rowKey={row => row.number}
        columns={[
          {
            key: 'who',
            title: 'Who',
            cell: row => (
              <span className={classes.who}>{row.actor_name || row.actor_id || 'Nobody known'}</span>
            ),
          },
          {
            key: 'what',
            title: 'Did',
            cell: row => (
              <Button
                variant="transparent"
                className={classes.what!}
                onClick={() => setFilters({ entry: row.number }, { push: true })}
              >
                {actionWords(row.action)}
                {row.repeated !== '1' && ` × ${row.repeated}`}
              </Button>
            ),
          },
          {
            key: 'target',
            title: 'To',
            cell: row => <Target action={row.action} target={row.target} />,
            wide: true,
          },
          { key: 'result', title: 'Result', cell: row => <ResultStatus of={row} />, wide: true },
          {
            key: 'source',
            title: 'From',
            cell: row => <span className="mono">{row.source}</span>,
            wide: true,
          },
          { key: 'when', title: 'When', cell: row => <Time at={row.at} /> },
        ]}
        empty={
          filtered ? (
            <Empty icon={ScrollText} title="Nothing found">
              No entry of the log matches these filters.
            </Empty>
          ) : (
            <Empty icon={ScrollText} title="Nothing has happened yet" />
          )
        }
      />
      {shown && <EntryDrawer entry={shown} onClose={() => setFilters({ entry: '' })} />}
    </>
  );
}
