import { Button, VisuallyHidden } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import {
  api,
  DataTable,
  Empty,
  path,
  Section,
  Status,
  Time,
  useCan,
  useResource,
  type Tone,
} from '@llm-platform/shared';
import { BellRing } from 'lucide-react';
import { changed } from '../query/changed';
import { singlePage } from '../query/singlePage';
import type { BudgetNotification } from '../types';
import { scopeName } from './words';
import { Name } from '../names/Name';
import type { Kind } from '../names/names';

const STATES: Record<string, [Tone, string]> = {
  pending: ['neutral', 'On its way'],
  delivered: ['good', 'Delivered'],
  dead: ['bad', 'Given up'],
  kept: ['neutral', 'Kept here'],
};
const SHOWN = 50;

/** That budgets reached a threshold, and whether the webhook took it. */
export function Notifications() {
  const can = useCan();
  const read = useResource<{ items: BudgetNotification[] }>(
    '/api/notifications',
    { limit: SHOWN },
    { live: 30 },
  );
  const retry = useMutation({
    mutationFn: (id: string) => api.post(path`/api/notifications/${id}:retry`),
    onSuccess: () => changed('/api/notifications'),
  });
  return (
    <Section title="Notifications" description="Sent to the webhook when a budget reaches a threshold." flush>
      <DataTable
        label="Notifications"
        list={singlePage(read)}
        rowKey={row => row.event_id}
        columns={[
          { key: 'budget', title: 'Budget', cell: row => <Whose of={row} /> },
          { key: 'threshold', title: 'Reached', cell: row => `${row.threshold} %`, numeric: true },
          { key: 'at', title: 'When', cell: row => <Time at={row.created_at} />, wide: true },
          { key: 'state', title: 'State', cell: row => <State of={row} /> },
          {
            key: 'retry',
            title: <VisuallyHidden>Actions</VisuallyHidden>,
            cell: row =>
              can('POST /api/notifications/{event_id}:retry') &&
              row.state !== 'pending' &&
              row.state !== 'kept' && (
                <Button
                  size="compact-xs"
                  variant="default"
                  loading={retry.isPending && retry.variables === row.event_id}
                  onClick={() => retry.mutate(row.event_id)}
                >
                  Send again
                </Button>
              ),
          },
        ]}
        empty={<Empty icon={BellRing} title="No budget has reached a threshold" />}
      />
    </Section>
  );
}

function State({ of: row }: { of: BudgetNotification }) {
  const [tone, words] = STATES[row.state] ?? ['neutral', row.state];
  return (
    <span title={row.reason}>
      <Status tone={tone}>{words}</Status>
    </span>
  );
}

function Whose({ of: row }: { of: BudgetNotification }) {
  const { scope, scope_id } = subjectOf(row);
  if (!scope || !scope_id) return <span className="mono">{row.budget_id}</span>;
  return (
    <>
      {scopeName(scope)} <Name kind={scope as Kind} id={scope_id} link />
    </>
  );
}

function subjectOf(row: BudgetNotification): { scope?: string; scope_id?: string } {
  try {
    return (JSON.parse(row.body) as { data?: { scope?: string; scope_id?: string } }).data ?? {};
  } catch {
    return {};
  }
}
